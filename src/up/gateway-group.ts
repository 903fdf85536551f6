/**
 * Several gateways on the same ports: this process opens them and hands connections over in turn (node:cluster), answers on
 * the metrics port for all, and starts a gateway again that dies. It answers no requests itself, so no load reaches its probes.
 *
 * node:cluster and not SO_REUSEPORT: Node.js has that from 22.12 on, and with it the connections that wait for a gateway that
 * ends are lost.
 */

import type { ChildProcess } from 'node:child_process';
import cluster from 'node:cluster';
import { fileURLToPath } from 'node:url';
import type { Logger } from '../platform/log.ts';
import type { MetricsSnapshot } from '../platform/metrics.ts';
import { hopelessCode } from './exit-code.ts';
import { keepConnectionsOf } from './handover.ts';
import type { GatewayState, Listening } from './messages.ts';
import { Supervisor } from './supervisor.ts';

export interface GatewayGroupOptions {
  readonly count: number;
  readonly log: Logger;
  /** between SIGTERM and SIGKILL */
  readonly stopMs: number;
  readonly onRestart: () => void;
  /** a gateway cannot run here */
  readonly onHopeless: () => void;
}

export type ReadinessReport = GatewayState['readiness'];

/** A gateway that has said nothing for longer does not count as ready. */
const staleMs = 10_000;

interface Member {
  readonly state: GatewayState;
  readonly heardAt: number;
}

export class GatewayGroup {
  readonly #options: GatewayGroupOptions;
  readonly #supervisor: Supervisor;
  /** what was heard last of each gateway that runs */
  readonly #members = new Map<ChildProcess, Member>();
  #stopping = false;

  constructor(options: GatewayGroupOptions) {
    this.#options = options;
    const { log, onRestart, onHopeless } = options;
    this.#supervisor = new Supervisor({ log, onRestart, onHopeless });
  }

  /** Resolves when all listen, to their common ports. */
  async start(program: URL): Promise<Listening> {
    cluster.setupPrimary({ exec: fileURLToPath(program), args: ['gateway'], execArgv: [] });
    const listening: Promise<Listening>[] = [];
    for (let i = 1; i <= this.#options.count; i++) {
      listening.push(
        new Promise((resolve) => {
          const launch = async (): Promise<ChildProcess> => this.#launch(resolve);
          void this.#supervisor.start({ name: `gateway ${i}`, stopMs: this.#options.stopMs, hopelessCode, launch });
        }),
      );
    }
    const [first] = await Promise.all(listening);
    if (!first) throw new RangeError('a group has at least one gateway');
    return first;
  }

  snapshots(): MetricsSnapshot[] {
    return [...this.#members.values()].map(({ state }) => state.snapshot);
  }

  /** As the first that is ready says, since it is enough to answer; else as any of them says. */
  report(): ReadinessReport {
    const now = performance.now();
    const heard = [...this.#members.values()].filter(({ heardAt }) => now - heardAt < staleMs);
    const reports = heard.map(({ state }) => state.readiness);
    const report = reports.find(({ ready }) => ready) ?? reports[0];
    if (report && !this.#stopping) return report;
    const away = { ready: false, detail: this.#stopping ? 'stopping' : 'no gateway answers yet' };
    return { ready: false, parts: { queue: away, storage: away, registry: away, models: away, server: away } };
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#supervisor.stop();
  }

  #launch(listens: (ports: Listening) => void): ChildProcess {
    const worker = cluster.fork();
    const { process: child } = worker;
    keepConnectionsOf(worker, () => [...this.#members.keys()].some((other) => other !== child && other.connected));
    child.on('message', (message: Listening | GatewayState) => {
      if (message.type === 'listening') listens(message);
      else if (message.type === 'gateway') this.#members.set(child, { state: message, heardAt: performance.now() });
    });
    child.once('exit', () => this.#members.delete(child));
    return child;
  }
}
