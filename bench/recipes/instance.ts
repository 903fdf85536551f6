/** An instance of Hourglass of its own, to which recipes post their jobs as any client would. */

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JobView } from '../../src/jobspec/job.ts';
import { freePorts } from '../../test/helpers/ports.ts';

const attempts = 60;
const root = path.resolve(import.meta.dirname, '../..');

export class Instance {
  readonly #process: ChildProcess;
  readonly url: string;
  #log = '';
  #key = '';

  private constructor(child: ChildProcess, url: string) {
    this.#process = child;
    this.url = url;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (text) => {
        this.#log = (this.#log + text).slice(-20_000);
      });
    }
  }

  /** Data sets and models stay in `dataFolder` from run to run. */
  static async start(dataFolder: string, threads: number): Promise<Instance> {
    const [http, grpc, metrics] = await freePorts(3);
    const child = spawn(process.execPath, [path.join(root, 'dist/main.js'), 'up'], {
      cwd: root,
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        HOURGLASS_DATA_DIR: dataFolder,
        HOURGLASS_HTTP_PORT: String(http),
        HOURGLASS_GRPC_PORT: String(grpc),
        HOURGLASS_METRICS_PORT: String(metrics),
        HOURGLASS_STARTER: 'off',
        HOURGLASS_TRAINING_THREADS: String(threads),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const instance = new Instance(child, `http://127.0.0.1:${http}`);
    while ((await fetch(`${instance.url}/readyz`).catch(() => undefined))?.status !== 200) {
      if (child.exitCode !== null) throw new Error(`hourglass stopped with ${child.exitCode}:\n${instance.#log}`);
      await sleep(200);
    }
    return instance;
  }

  get pid(): number {
    return this.#process.pid as number;
  }

  /**
   * Tries again, as a client should, while the answer is 503 or the connection is lost: a busy machine may be slow to answer, and one that
   * slept has closed its connections.
   */
  async #json<T>(method: string, url: string, body?: unknown): Promise<T> {
    let response: Response;
    for (let attempt = 1; ; attempt++) {
      const asked = fetch(this.url + url, {
        method,
        ...(body !== undefined && {
          body: JSON.stringify(body),
          headers: { 'content-type': 'application/json', 'idempotency-key': this.#key },
        }),
      });
      try {
        response = await asked;
      } catch (error) {
        if (attempt === attempts || this.#process.exitCode !== null) throw error;
        await sleep(1000);
        continue;
      }
      if (response.status !== 503 || attempt === attempts) break;
      await sleep(1000 * Number(response.headers.get('retry-after') ?? 1));
    }
    if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  /**
   * Posts a job and waits for its end; with `resume` goes on with the job that an earlier run posted for the same request.
   * Throws when it does not succeed.
   */
  async train(request: unknown, onProgress: (job: JobView) => void, resume = false): Promise<JobView> {
    this.#key = resume ? createHash('sha256').update(JSON.stringify(request)).digest('hex') : randomUUID();
    let job = await this.#json<JobView>('POST', '/v1/jobs', request);
    while (job.state === 'queued' || job.state === 'running') {
      await sleep(1000);
      job = await this.#json<JobView>('GET', `/v1/jobs/${job.id}`);
      onProgress(job);
    }
    if (job.state !== 'succeeded') throw new Error(`the job ${job.state}: ${JSON.stringify(job.failure)}`);
    return job;
  }

  /** A file of the version that a job published. */
  async file(job: JobView, name: string): Promise<Uint8Array> {
    const response = await fetch(`${this.url}/v1/models/${job.model}/versions/${job.version}/files/${name}`);
    if (!response.ok) throw new Error(`${name}: ${response.status} ${await response.text()}`);
    return new Uint8Array(await response.arrayBuffer());
  }

  /** Uploads a data set unless one of this name is there. */
  async upload(name: string, form: () => Promise<FormData>): Promise<void> {
    if ((await fetch(`${this.url}/v1/datasets/${name}`)).ok) return;
    const response = await fetch(`${this.url}/v1/datasets`, { method: 'POST', body: await form() });
    if (!response.ok) throw new Error(`upload of ${name}: ${response.status} ${await response.text()}`);
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill('SIGTERM');
    await ended;
  }
}
