/** What stands where data does not: still loading, nothing there, something wrong. */

import type { ComponentChildren } from 'preact';
import type { Loaded } from '../load.ts';
import { isOnline, messageOf } from '../server.ts';

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="notice">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  if (!isOnline.value) return null; // the banner says so
  return (
    <div class="notice wrong" role="alert">
      <h2>This could not be loaded</h2>
      <p>{messageOf(error)}</p>
      {retry && (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

export function Loading({ rows = 3 }: { rows?: number }) {
  return (
    <div class="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, i) => (
        <span key={i} />
      ))}
    </div>
  );
}

/** The data when it is there, else what is in its place. */
export function Shown<T>({ of, children }: { of: Loaded<T>; children: (data: T) => ComponentChildren }) {
  if (of.data !== undefined) return <>{children(of.data)}</>;
  if (of.error !== undefined) return isOnline.value ? <Failure error={of.error} retry={of.reload} /> : <Loading />;
  return <Loading />;
}

/** Told once, in the corner: what was done, or why it was not. */
export function Warnings({ of }: { of: readonly string[] }) {
  if (of.length === 0) return null;
  return (
    <div class="notice warn">
      <h2>{of.length === 1 ? 'Warning' : 'Warnings'}</h2>
      <ul>
        {of.map((warning) => (
          <li key={warning}>{warning}</li>
        ))}
      </ul>
    </div>
  );
}
