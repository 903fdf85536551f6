/** What can be done to a job in its state. */

import { useState } from 'preact/hooks';
import type { JobView } from '../../sdk/index.ts';
import { go } from '../router.ts';
import { client } from '../server.ts';
import { ask, attempt } from './toasts.tsx';

export interface JobButtonsProps {
  readonly job: JobView;
  /** only what is wanted most often */
  readonly isShort?: boolean;
  readonly done?: () => void;
}

export function JobButtons({ job, isShort = false, done }: JobButtonsProps) {
  const [isBusy, setBusy] = useState(false);
  const { id, state, spec } = job;
  const isOpen = state === 'queued' || state === 'running';
  const canRestart = state === 'failed' || state === 'cancelled';
  const run = async (what: () => Promise<unknown>, said: string): Promise<void> => {
    setBusy(true);
    if (await attempt(what, said)) done?.();
    setBusy(false);
  };
  const cancel = async (): Promise<void> => {
    const text = 'It stops after a last checkpoint, from which it can be resumed.';
    if (await ask(`Cancel the training of ${spec.name}?`, text, 'Cancel the job')) {
      await run(() => client.jobs.cancel(id), `The training of ${spec.name} is being cancelled.`);
    }
  };
  const remove = async (): Promise<void> => {
    const text = 'Its record, its curves and its checkpoints go. A model that it has published stays.';
    if (!(await ask(`Delete the job of ${spec.name}?`, text, 'Delete the job'))) return;
    await run(() => client.jobs.delete(id), `The job of ${spec.name} is deleted.`);
    if (!isShort) go(['jobs']);
  };
  return (
    <span class="buttons">
      {isOpen && (
        <button type="button" disabled={isBusy} aria-label={`Cancel ${spec.name}`} onClick={cancel}>
          Cancel
        </button>
      )}
      {canRestart && (
        <button
          type="button"
          disabled={isBusy}
          aria-label={`Resume ${spec.name}`}
          title="Go on from the newest checkpoint"
          onClick={() => run(() => client.jobs.resume(id), `${spec.name} goes on.`)}
        >
          Resume
        </button>
      )}
      {canRestart && !isShort && (
        <button
          type="button"
          disabled={isBusy}
          title="Train again from the start"
          onClick={() => run(() => client.jobs.retry(id), `${spec.name} starts again.`)}
        >
          Retry
        </button>
      )}
      {!isOpen && state !== 'cancelling' && !(isShort && canRestart) && (
        <button type="button" disabled={isBusy} aria-label={`Delete ${spec.name}`} onClick={remove}>
          Delete
        </button>
      )}
    </span>
  );
}
