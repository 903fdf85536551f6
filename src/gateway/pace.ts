/**
 * For long work on the event loop that is done step by step, such as reading a large body: of all such work together, a few
 * milliseconds of each turn, first come, first served. If each waited for the next turn alone, a hundred large bodies would
 * make turns of a hundred steps.
 */

const turnMs = 4;
/** callbacks planned at a time; each lets one go on, with all that follows from it in the same turn */
const mostPlanned = 64;

const waiting: (() => void)[] = [];
let isPlanned = false;
let began = 0;

/** Resolves when the next step may be done. */
export function nextStep(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (!isPlanned) plan();
  });
}

function plan(): void {
  isPlanned = true;
  began = 0;
  for (let i = Math.min(waiting.length, mostPlanned); i > 0; i--) setImmediate(step);
  setImmediate(end);
}

function step(): void {
  const now = performance.now();
  began ||= now;
  if (now - began < turnMs) waiting.shift()?.();
}

function end(): void {
  isPlanned = false;
  if (waiting.length > 0) plan();
}
