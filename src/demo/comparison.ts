/** A second model beside the first: it gets the same picture and the same dial, and the server decodes its frame as well. */

import {
  type Encoder,
  type HourglassClient,
  loadEncoder,
  type Pixels,
  pixelsOfRow,
  rowOfPixels,
} from '../sdk/index.ts';
import { referenceOf, type Version } from './models.ts';
import { paint, say, show } from './page.ts';
import type { Place } from './rates.tsx';
import { decibels, psnrOf } from './views.ts';

export type Dial = { readonly maxBytes: number } | { readonly share: number };

export class ModelComparison {
  readonly #client: HourglassClient;
  #chosen: { readonly version: Version; readonly encoder: Encoder } | undefined;
  #choices = 0;

  constructor(client: HourglassClient) {
    this.#client = client;
  }

  get version(): Version | undefined {
    return this.#chosen?.version;
  }

  /** Undefined compares with nothing. Throws what `loadEncoder` throws. */
  async choose(version: Version | undefined): Promise<void> {
    const choice = ++this.#choices;
    this.#chosen = undefined;
    show('other-answer', false);
    if (!version) return;
    const encoder = await loadEncoder(await this.#client.models.bundle(referenceOf(version)));
    if (choice === this.#choices) this.#chosen = { version, encoder };
  }

  /** Shows the picture through the other model; bytes and dB, or undefined where there is none. */
  async run(pixelsFor: (isGray: boolean) => Pixels, dial: Dial): Promise<Place | undefined> {
    const chosen = this.#chosen;
    if (!chosen) return undefined;
    const { encoder, version } = chosen;
    const facts = encoder.manifest;
    const row = rowOfPixels(pixelsFor((facts.inputShape[2] ?? 1) === 1), facts);
    const last = encoder.qualities.length - 1;
    const target = 'share' in dial ? { quality: Math.round(dial.share * last) } : dial;
    const { frame } = await encoder.encode(row, target);
    const answer = await this.#client.decodeFrame(frame);
    if (chosen !== this.#chosen) return undefined;
    const psnr = psnrOf(row, answer.data, facts.inputRange);
    paint('other-decoded', pixelsOfRow(answer.data, facts));
    say('other-caption', `${referenceOf(version)}: ${frame.length} bytes, ${decibels(psnr)}`);
    show('other-answer', true);
    return [frame.length, psnr];
  }
}
