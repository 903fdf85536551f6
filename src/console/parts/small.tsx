/** Small parts that several pages use: states, bars, lines, code to copy, terms and their values. */

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { JobView } from '../../sdk/index.ts';
import { duration, number } from '../format.ts';
import { tell } from './toasts.tsx';

export function State({ of }: { of: string }) {
  return <span class={`state ${of}`}>{of}</span>;
}

export function Progress({ job }: { job: JobView }) {
  const { progress, state } = job;
  const percent = state === 'succeeded' ? 100 : (progress?.percent ?? 0);
  const isOpen = state === 'running' || state === 'cancelling';
  return (
    <div class="progress">
      <div
        class={`bar ${state}`}
        role="progressbar"
        aria-label={`Progress of ${job.spec.name}`}
        aria-valuenow={Math.round(percent)}
      >
        <span style={{ width: `${percent}%` }} />
      </div>
      <small>
        {progressText(job)}
        {isOpen && progress?.etaSeconds !== undefined && ` · ${duration(progress.etaSeconds)} left`}
      </small>
    </div>
  );
}

export function progressText({ state, progress, waitingFor }: JobView): string {
  if (waitingFor !== undefined) return `waits: ${waitingFor.replace('-', ' ')}`;
  if (state === 'queued') return progress ? 'waits to go on' : 'waits for a worker';
  if (!progress) return state === 'running' ? 'starting' : '–';
  const { phase, epoch, epochs } = progress;
  if (state === 'succeeded') return epochs > 0 ? `${epochs} ${epochs === 1 ? 'epoch' : 'epochs'}` : 'done';
  return epochs > 0 ? `${phase} ${epoch} / ${epochs}` : phase;
}

/** Losses as a line without axes. */
export function Sparkline({ values }: { values: readonly number[] }) {
  if (values.length < 2) return <span class="spark" />;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const points = values.map((value, i) => {
    const y = high > low ? 18 - (16 * (value - low)) / (high - low) : 10;
    return `${((i * 78) / (values.length - 1) + 1).toFixed(1)},${y.toFixed(1)}`;
  });
  return (
    <svg
      class="spark"
      viewBox="0 0 80 20"
      role="img"
      aria-label={`Loss from ${number(values[0])} to ${number(values.at(-1))}`}
    >
      <polyline points={points.join(' ')} />
    </svg>
  );
}

export function Facts({ of }: { of: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {of.map(([term, value]) => (
        <div key={term}>
          <dt>{term}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Copied({ text }: { text: string }) {
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      tell('Copied.');
    } catch {
      tell('This browser does not let pages copy here. Select the text instead.', true);
    }
  };
  return (
    <div class="code">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <pre tabIndex={0}>{text}</pre>
      <button type="button" class="plain" onClick={copy}>
        Copy
      </button>
    </div>
  );
}

/** Texts of which one is shown at a time. */
export function Tabs({ of, label }: { of: Readonly<Record<string, ComponentChildren>>; label: string }) {
  const names = Object.keys(of);
  const [chosen, setChosen] = useState(names[0] ?? '');
  const shown = names.includes(chosen) ? chosen : (names[0] ?? '');
  const move = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step === 0) return;
    const next = names[(names.indexOf(shown) + step + names.length) % names.length] ?? shown;
    setChosen(next);
    const list = (event.currentTarget as HTMLElement).children;
    (list[names.indexOf(next)] as HTMLElement | undefined)?.focus();
  };
  return (
    <div>
      <div class="tabs" role="tablist" aria-label={label} onKeyDown={move}>
        {names.map((name) => (
          <button
            key={name}
            type="button"
            role="tab"
            aria-selected={name === shown}
            tabIndex={name === shown ? 0 : -1}
            onClick={() => setChosen(name)}
          >
            {name}
          </button>
        ))}
      </div>
      <div role="tabpanel" aria-label={shown}>
        {of[shown]}
      </div>
    </div>
  );
}

/** What may be wider than the page and is scrolled within it. */
export function Wide({ label, children }: { readonly label: string; readonly children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section class="wide" tabIndex={0} aria-label={label}>
      {children}
    </section>
  );
}
