/** Frames on their way: sent at once, or kept in this browser until the network is back. */

import { type Answer, type HourglassClient, Outbox, type OutboxStorage, type ProblemError } from '../sdk/index.ts';

const storageKey = 'hourglass-frames';

/** Frames survive a reload; where the browser keeps nothing, they live as long as the page. */
const storage: OutboxStorage = {
  async load() {
    try {
      const kept = JSON.parse(localStorage.getItem(storageKey) ?? '[]') as string[];
      return kept.map((text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0)));
    } catch {
      return [];
    }
  },
  async save(frames) {
    try {
      localStorage.setItem(storageKey, JSON.stringify(frames.map((frame) => btoa(String.fromCharCode(...frame)))));
    } catch {
      // private windows and full disks
    }
  },
};

export interface FrameEvents {
  readonly onDecoded: (answer: Answer, frame: Uint8Array, roundTripMs: number) => void;
  readonly onRefused: (problem: ProblemError) => void;
  /** how many frames wait for the network */
  readonly onWaiting: (count: number) => void;
}

export class Frames {
  readonly #outbox: Outbox<Answer>;
  readonly #events: FrameEvents;

  constructor(client: HourglassClient, events: FrameEvents) {
    let sentAt = 0;
    this.#events = events;
    this.#outbox = new Outbox({
      send: (frame) => {
        sentAt = performance.now();
        return client.decodeFrame(frame);
      },
      storage,
      onDelivered: (answer, frame) => events.onDecoded(answer, frame, performance.now() - sentAt),
      onRefused: (problem) => events.onRefused(problem),
    });
    addEventListener('online', () => this.flush());
  }

  async send(frame: Uint8Array): Promise<void> {
    await this.#outbox.add(frame);
    await this.flush();
  }

  async flush(): Promise<void> {
    this.#events.onWaiting(await this.#outbox.flush());
  }
}
