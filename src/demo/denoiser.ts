/** The picture with noise goes to a model that removes it, on the server. */

import { type HourglassClient, pixelsOfRow, type RowFacts } from '../sdk/index.ts';
import { block, input, paint, say, show } from './page.ts';

export class Denoiser {
  readonly #client: HourglassClient;
  readonly #onFailure: (error: unknown) => void;
  #pattern = new Float32Array();
  #asked = new AbortController();

  constructor(client: HourglassClient, onFailure: (error: unknown) => void) {
    this.#client = client;
    this.#onFailure = onFailure;
  }

  /** Shows the part when the model denoises, and asks for this row. */
  async run(model: string, row: Float32Array, facts: RowFacts): Promise<void> {
    this.#asked.abort();
    this.#asked = new AbortController();
    const { signal } = this.#asked;
    const [low, high] = facts.inputRange;
    const sigma = Number(input('noise').value) / 100;
    say('noise-label', `Noise: σ ${sigma.toFixed(2)}`);
    if (this.#pattern.length !== row.length) this.#pattern = Float32Array.from(row, normal);
    const noisy = row.map((value, i) =>
      Math.min(high, Math.max(low, value + sigma * (high - low) * (this.#pattern[i] as number))),
    );
    paint('noisy', pixelsOfRow(noisy, facts));
    say('denoised-caption', `denoised by ${model}`);
    block('denoise').dataset.answered = 'no';
    try {
      const { data } = await this.#client.denoise(model, { data: noisy, rows: 1 }, { signal });
      paint('denoised', pixelsOfRow(data, facts));
      block('denoise').dataset.answered = 'yes';
    } catch (error) {
      if (!signal.aborted) this.#onFailure(error);
    }
  }

  hide(): void {
    this.#asked.abort();
    show('denoise', false);
  }
}

/** N(0, 1) by Box and Muller's method. */
const normal = (): number => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
