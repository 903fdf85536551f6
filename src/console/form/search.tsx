/** The part of a new job that makes it a sweep: which values are tried of which members. */

import { useId } from 'preact/hooks';
import type { SweepCheck } from '../../sdk/index.ts';
import { bytes } from '../format.ts';
import { parameterName, pointersOf, type SearchDraft, trialCount } from '../sweep.ts';
import type { Refusal } from './fields.tsx';

export interface SearchFieldsProps {
  readonly of: SearchDraft;
  /** the resolved job, of which members are chosen */
  readonly spec: unknown;
  /** the sweep as the server would queue it */
  readonly check: SweepCheck | undefined;
  readonly refusal: Refusal | undefined;
  readonly change: (next: SearchDraft) => void;
}

export function SearchFields({ of, spec, check, refusal, change }: SearchFieldsProps) {
  const id = useId();
  const pointers = pointersOf(spec);
  const count = check?.trials.length ?? trialCount(of);
  const most = Math.max(0, ...(check?.trials ?? []).map(({ memoryBytes }) => memoryBytes));
  const replace = (at: number, changes: Partial<SearchDraft['parameters'][number]>): void =>
    change({ ...of, parameters: of.parameters.map((one, i) => (i === at ? { ...one, ...changes } : one)) });
  const isOurs = refusal?.field.startsWith('/search') ?? false;
  return (
    <div class="fields">
      <div class="field">
        <label for={`${id}-type`}>How</label>
        <select
          id={`${id}-type`}
          value={of.type}
          onChange={(event) => change({ ...of, type: event.currentTarget.value === 'random' ? 'random' : 'grid' })}
        >
          <option value="grid">every combination (grid)</option>
          <option value="random">at random</option>
        </select>
      </div>
      {of.type === 'random' && (
        <div class="field">
          <label for={`${id}-trials`}>Trials</label>
          <input
            id={`${id}-trials`}
            inputMode="numeric"
            value={of.trials}
            onInput={(event) => change({ ...of, trials: event.currentTarget.value })}
          />
        </div>
      )}
      {of.parameters.map(({ pointer, values }, i) => (
        <div key={i} class="varied">
          <select
            aria-label={`Parameter ${i + 1}`}
            value={pointer}
            onChange={(event) => replace(i, { pointer: event.currentTarget.value })}
          >
            <option value="">choose what to vary …</option>
            {[...new Set([...pointers, ...(pointer ? [pointer] : [])])].map((one) => (
              <option key={one} value={one}>
                {one.split('/')[1]}: {parameterName(one)}
              </option>
            ))}
          </select>
          <input
            aria-label={`Values of parameter ${i + 1}`}
            placeholder={of.type === 'random' ? '16, 32 or 1e-4..1e-2' : '16, 32, 64'}
            autoComplete="off"
            spellcheck={false}
            value={values}
            onInput={(event) => replace(i, { values: event.currentTarget.value })}
          />
          <button
            type="button"
            class="plain"
            aria-label={`Leave out parameter ${i + 1}`}
            onClick={() => change({ ...of, parameters: of.parameters.filter((_, at) => at !== i) })}
          >
            ×
          </button>
        </div>
      ))}
      <div class="field">
        <button
          type="button"
          onClick={() => change({ ...of, parameters: [...of.parameters, { pointer: '', values: '' }] })}
        >
          Vary another one
        </button>
        <small class="help">
          {count} {count === 1 ? 'trial' : 'trials'}
          {most > 0 && ` of up to ${bytes(most)} of memory`}; the one with the lowest held-out loss is published
        </small>
        {isOurs && (
          <p class="refused" role="alert">
            {refusal?.message}
          </p>
        )}
      </div>
    </div>
  );
}
