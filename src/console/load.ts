/** What a page shows from the server: loaded, loaded again, kept while the server is away. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { isOnline, keyCount } from './server.ts';

export interface Loaded<T> {
  readonly data: T | undefined;
  /** of the last try; `data` may be there from an earlier one */
  readonly error: unknown;
  readonly isLoading: boolean;
  reload(): void;
}

/** Loads when `keys` change, when the server is back, and every so many ms while the page is looked at. */
export function useLoaded<T>(
  load: (signal: AbortSignal) => Promise<T>,
  keys: readonly unknown[],
  everyMs?: number,
): Loaded<T> {
  const [state, setState] = useState<{ data?: T; error?: unknown; isLoading: boolean }>({ isLoading: true });
  const [turn, setTurn] = useState(0);
  const newest = useRef(load);
  newest.current = load;
  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const run = async (): Promise<void> => {
      try {
        if (!document.hidden || turn === 0) {
          const data = await newest.current(stop.signal);
          if (!stop.signal.aborted) setState({ data, isLoading: false });
        }
      } catch (error) {
        if (!stop.signal.aborted) setState((before) => ({ ...before, error, isLoading: false }));
      }
      if (everyMs !== undefined && !stop.signal.aborted) timer = setTimeout(run, everyMs);
    };
    setState((before) => ({ ...before, isLoading: before.data === undefined }));
    void run();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [...keys, turn, everyMs, keyCount.value, isOnline.value]);
  return { data: state.data, error: state.error, isLoading: state.isLoading, reload: () => setTurn((n) => n + 1) };
}
