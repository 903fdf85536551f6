// What a person sees while a job trains: one line that is overwritten on a terminal, thinned lines elsewhere.
import { expect, it } from 'vitest';
import { describe as describeProgress } from '../../src/up/starter.ts';
import { createTerminal } from '../../src/up/terminal.ts';

function terminal(isTTY: boolean) {
  let text = '';
  return {
    ...createTerminal({ isTTY, columns: 20, write: (more) => (text += more) }),
    read: () => text,
  };
}

it('overwrites the status on a terminal, within its width, and keeps the last one', () => {
  const { line, status, endStatus, read } = terminal(true);
  status('one');
  status('a status that is far too long for it');
  line('said meanwhile');
  status('last');
  endStatus();
  line('after');
  const shown = read()
    .split('\n')
    .map((row) => row.split('\r\x1b[K').at(-1));
  expect(shown).toEqual(['said meanwhile', 'last', 'after', '']);
  expect(read()).toContain('\r\x1b[Ka status that is fa\r');
});

it('writes few lines where nothing can be overwritten, the last one among them', () => {
  const { status, endStatus, read } = terminal(false);
  for (let i = 0; i < 1000; i++) status(`status ${i}`);
  endStatus();
  expect(read()).toBe('status 0\nstatus 999\n');
});

it('says how far a job is', () => {
  const progress = { phase: 'train', epoch: 2, epochs: 5, step: 10, steps: 100, percent: 39.9 };
  expect(describeProgress({ ...progress, loss: 0.123456, samplesPerSecond: 23_456.7, etaSeconds: 12.1 })).toBe(
    ' 39 %   train, epoch 2 of 5   loss 0.1235   23,457 rows/s   13 s left',
  );
  expect(describeProgress({ ...progress, phase: 'data', epochs: 0 })).toBe(' 39 %   data');
});

it('tells no speed and no time of what comes after the training', () => {
  const trained = { epoch: 5, epochs: 5, step: 100, steps: 100, samplesPerSecond: 23_456.7, etaSeconds: 0, loss: 0.1 };
  expect(describeProgress({ ...trained, phase: 'evaluate', percent: 97 })).toBe(
    ' 97 %   evaluate on test rows, beside PCA   loss 0.1000',
  );
  expect(describeProgress({ ...trained, phase: 'done', percent: 100 })).toBe('100 %   done   loss 0.1000');
});
