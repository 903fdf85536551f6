// Clients of a gateway that never give up on a submission, over REST and gRPC, and clients that ask for predictions. They
// count what they were answered, and what they should not have been.
import { setTimeout as delay } from 'node:timers/promises';
import { InferenceService } from '../../src/gen/hourglass/v1/inference_pb.ts';
import { TrainingService } from '../../src/gen/hourglass/v1/training_pb.ts';
import type { CallFailed, TestClient } from '../../test/gateway/grpc/client.ts';

/** What became of one request. */
export type Answer =
  | { readonly kind: 'done'; readonly id?: string; readonly closes?: boolean }
  /** as the contract has it: the queue is away, or did not say what it did; come back with the same key */
  | { readonly kind: 'refused' }
  | { readonly kind: 'wrong'; readonly text: string };

export class Tally {
  /** what was acknowledged: id of the job by idempotency key */
  readonly acknowledged = new Map<string, string>();
  done = 0;
  refused = 0;
  /** answers after which the client had to connect anew */
  closing = 0;
  readonly wrong: string[] = [];
  slowestMs = 0;
  slowestRefusalMs = 0;

  async record(request: () => Promise<Answer>): Promise<Answer> {
    const begun = performance.now();
    const answer = await request().catch((error: Error): Answer => {
      const { cause } = error as { cause?: { code?: string } };
      return { kind: 'wrong', text: `${error.message} ${cause?.code ?? ''}` };
    });
    const took = performance.now() - begun;
    this.slowestMs = Math.max(this.slowestMs, took);
    if (answer.kind === 'done') this.done++;
    if (answer.kind === 'done' && answer.closes) this.closing++;
    if (answer.kind === 'refused') {
      this.refused++;
      this.slowestRefusalMs = Math.max(this.slowestRefusalMs, took);
    }
    if (answer.kind === 'wrong') this.wrong.push(answer.text);
    return answer;
  }
}

const awayCodes: readonly string[] = ['queue-unavailable', 'outcome-unknown'];

/** The model's name is the key, so that the jobs of a key can be counted. */
const jobOf = (key: string) => ({
  name: key,
  dataset: 'waves',
  model: { type: 'dense', code: 3, hidden: [] },
  training: { epochs: 1 },
});

export async function submitOverRest(address: string, key: string): Promise<Answer> {
  const response = await fetch(`${address}/v1/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify(jobOf(key)),
    signal: AbortSignal.timeout(10_000),
  });
  const body = (await response.json()) as { id: string; code?: string };
  const closes = response.headers.get('connection') === 'close';
  if (response.status === 202) return { kind: 'done', id: body.id, closes };
  const isAway = awayCodes.includes(body.code ?? '');
  const asPromised = response.status === 503 && isAway && Number(response.headers.get('retry-after')) > 0;
  return asPromised ? { kind: 'refused' } : { kind: 'wrong', text: `REST ${response.status} ${JSON.stringify(body)}` };
}

export async function submitOverGrpc(client: TestClient, key: string): Promise<Answer> {
  try {
    const request = { ...jobOf(key), idempotencyKey: key };
    const { id } = await client.call(TrainingService.method.submitJob, request, { deadline: Date.now() + 10_000 });
    return { kind: 'done', id };
  } catch (error) {
    const { status, code, retryAfter = 0 } = (error as CallFailed).failure ?? {};
    if (status === 'UNAVAILABLE' && awayCodes.includes(code ?? '') && retryAfter > 0) return { kind: 'refused' };
    return { kind: 'wrong', text: `gRPC ${(error as Error).message}` };
  }
}

const row = Array.from({ length: 16 }, (_, i) => i / 16);

export async function encodeOverRest(address: string, model: string): Promise<Answer> {
  const response = await fetch(`${address}/v1/models/${model}/encode`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ inputs: [row] }),
    signal: AbortSignal.timeout(10_000),
  });
  const text = await response.text();
  if (response.status === 200) return { kind: 'done', closes: response.headers.get('connection') === 'close' };
  return { kind: 'wrong', text: `REST ${response.status} ${text}` };
}

export async function encodeOverGrpc(client: TestClient, model: string): Promise<Answer> {
  try {
    const content = { case: 'inputs' as const, value: { shape: [1, 16], values: row } };
    await client.call(InferenceService.method.encode, { model, content }, { deadline: Date.now() + 10_000 });
    return { kind: 'done' };
  } catch (error) {
    return { kind: 'wrong', text: `gRPC ${(error as Error).message}` };
  }
}

/** Repeats until `over` is aborted, waiting `pauseMs` in between. */
export async function repeat(over: AbortSignal, pauseMs: number, work: () => Promise<unknown>): Promise<void> {
  while (!over.aborted) {
    await work();
    await delay(pauseMs);
  }
}

/**
 * Submits one job after the other, each under a key of its own, again and again until it is acknowledged. The last one, too,
 * is acknowledged when this resolves.
 */
export async function submitAll(
  over: AbortSignal,
  name: string,
  tally: Tally,
  submit: (key: string) => Promise<Answer>,
  pauseMs: number,
): Promise<void> {
  for (let i = 0; !over.aborted; i++) {
    const key = `${name}-${i}`;
    for (;;) {
      const answer = await tally.record(() => submit(key));
      if (answer.kind === 'done') {
        tally.acknowledged.set(key, answer.id ?? '');
        break;
      }
      await delay(200);
    }
    await delay(pauseMs);
  }
}
