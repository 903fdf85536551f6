/**
 * The drawing pad: white strokes on black, or a picture that was opened, brought into the form that models of digits know.
 *
 *   strokes, file, camera ─► pad ─► inverted? ─► centred? ─► pixels
 *              file, camera ─► neither? ─► the picture itself, so that the SDK brings it to the model's size as the server does
 */

import type { Pixels } from '../sdk/picture.ts';
import { examples } from './examples.ts';
import { canvas, context, input } from './page.ts';

/** What is drawn on. Sizes are in its pixels. */
const side = 280;
const strokeWidth = 22;
/** MNIST fits digits into 20 of its 28 pixels and moves their centre of mass to the middle. */
const boxSide = (side * 20) / 28;
/** of 255; fainter pixels are background */
const inkThreshold = 48;

export interface PadEvents {
  /** many times a second while a stroke is drawn, `settled` when it ends */
  readonly onChange: (settled: boolean) => void;
}

export class Pad {
  readonly #canvas = canvas('pad');
  readonly #context = context(this.#canvas);
  readonly #events: PadEvents;
  #example = 0;
  /** a file's or the camera's picture in full, while it is on the pad */
  #picture: Pixels | undefined;
  #isBlank = true;
  /** whether something was drawn or opened since the page was loaded */
  wasUsed = false;
  /** an example or a picture: the next stroke begins anew */
  #replaceable = false;

  constructor(events: PadEvents) {
    this.#events = events;
    this.#canvas.addEventListener('pointerdown', (event) => this.#draw(event));
    for (const id of ['centre', 'invert']) input(id).addEventListener('change', () => events.onChange(true));
    this.#wipe();
  }

  clear(): void {
    this.#wipe();
    this.#reset();
    this.#events.onChange(true);
  }

  /** The next of some digits, for who cannot draw or does not want to. */
  drawExample(): void {
    this.#wipe();
    this.#reset();
    for (const stroke of examples[this.#example % examples.length] ?? []) {
      this.#begin();
      for (const [x, y] of stroke) this.#context.lineTo(x * side, y * side);
      this.#context.stroke();
    }
    this.#example++;
    this.#isBlank = false;
    this.wasUsed = true;
    this.#replaceable = true;
    this.#events.onChange(true);
  }

  /** The middle of a picture. Dark ink on a light page is inverted, and its paper made even. */
  drawPicture(picture: CanvasImageSource, width: number, height: number): void {
    const scale = Math.max(side / width, side / height);
    this.#wipe();
    this.#picture = pixelsOf(picture, width, height);
    this.#isBlank = false;
    this.wasUsed = true;
    this.#context.drawImage(
      picture,
      (side - width * scale) / 2,
      (side - height * scale) / 2,
      width * scale,
      height * scale,
    );
    const isPage = edgeBrightness(this.#context.getImageData(0, 0, side, side)) > 128;
    input('invert').checked = isPage;
    input('centre').checked = isPage;
    this.#replaceable = true;
    this.#events.onChange(true);
  }

  /** A row of a data set, which the model gets as it is. */
  drawRow(row: Pixels): void {
    const image = new ImageData(new Uint8ClampedArray(row.data), row.width, row.height);
    const picture = document.createElement('canvas');
    Object.assign(picture, { width: row.width, height: row.height });
    context(picture).putImageData(image, 0, 0);
    this.#wipe();
    // four bytes a pixel, whatever the channels of the row were
    this.#picture = image;
    this.#isBlank = false;
    this.wasUsed = true;
    const scale = Math.min(side / row.width, side / row.height);
    this.#context.imageSmoothingEnabled = false;
    this.#context.drawImage(
      picture,
      (side - row.width * scale) / 2,
      (side - row.height * scale) / 2,
      row.width * scale,
      row.height * scale,
    );
    this.#context.imageSmoothingEnabled = true;
    input('invert').checked = false;
    input('centre').checked = false;
    this.#replaceable = true;
    this.#events.onChange(true);
  }

  /** As the model shall get it. */
  pixels(gray: boolean): Pixels {
    if (this.#picture && !input('invert').checked && !input('centre').checked) return this.#picture;
    const image = this.#context.getImageData(0, 0, side, side);
    if (input('invert').checked) invert(image);
    if (gray && input('invert').checked) stretch(image);
    return input('centre').checked ? centred(image) : image;
  }

  /** Whether there is nothing to encode. */
  isBlank(): boolean {
    return this.#isBlank;
  }

  #wipe(): void {
    this.#context.fillStyle = '#000';
    this.#context.fillRect(0, 0, side, side);
    this.#picture = undefined;
    this.#isBlank = true;
  }

  #reset(): void {
    input('invert').checked = false;
    input('centre').checked = true;
    this.#replaceable = false;
  }

  #begin(): void {
    Object.assign(this.#context, { strokeStyle: '#fff', lineWidth: strokeWidth, lineCap: 'round', lineJoin: 'round' });
    this.#context.beginPath();
  }

  #draw(down: PointerEvent): void {
    if (down.button !== 0 || !down.isPrimary) return;
    down.preventDefault();
    this.#canvas.setPointerCapture(down.pointerId);
    if (this.#replaceable) {
      this.#wipe();
      this.#reset();
    }
    this.#isBlank = false;
    this.wasUsed = true;
    this.#begin();
    const follow = (event: PointerEvent): void => {
      if (!event.isPrimary) return;
      const { left, top, width, height } = this.#canvas.getBoundingClientRect();
      this.#context.lineTo(((event.clientX - left) / width) * side, ((event.clientY - top) / height) * side);
      this.#context.stroke();
      this.#events.onChange(false);
    };
    follow(down);
    const ended = new AbortController();
    const { signal } = ended;
    this.#canvas.addEventListener('pointermove', follow, { signal });
    for (const end of ['pointerup', 'pointercancel']) {
      this.#canvas.addEventListener(
        end,
        () => {
          ended.abort();
          this.#events.onChange(true);
        },
        { signal },
      );
    }
  }
}

/** All of a picture, transparency on the side. */
function pixelsOf(picture: CanvasImageSource, width: number, height: number): Pixels {
  const whole = document.createElement('canvas');
  Object.assign(whole, { width, height });
  context(whole).drawImage(picture, 0, 0, width, height);
  return context(whole).getImageData(0, 0, width, height);
}

const brightness = (data: Uint8ClampedArray, at: number): number =>
  0.2126 * (data[at] as number) + 0.7152 * (data[at + 1] as number) + 0.0722 * (data[at + 2] as number);

function edgeBrightness({ width, height, data }: ImageData): number {
  let [sum, count] = [0, 0];
  for (let i = 0; i < width * height; i++) {
    const [x, y] = [i % width, Math.floor(i / width)];
    if (x > 8 && y > 8 && x < width - 9 && y < height - 9) continue;
    sum += brightness(data, 4 * i);
    count++;
  }
  return sum / count;
}

function invert({ data }: ImageData): void {
  for (let i = 0; i < data.length; i++) if (i % 4 !== 3) data[i] = 255 - (data[i] as number);
}

/** Paper to black, ink to white: the darker half of the pixels is paper, the brightest hundredth is ink. */
function stretch({ data }: ImageData): void {
  const sorted = Uint8Array.from({ length: data.length / 4 }, (_, i) => brightness(data, 4 * i)).sort();
  const paper = Math.min(255, (sorted[sorted.length >> 1] as number) + 24);
  const ink = Math.max(paper + 1, sorted[Math.floor(sorted.length * 0.99)] as number);
  for (let i = 0; i < data.length; i += 4) {
    data.fill(Math.max(0, Math.min(255, (255 * (brightness(data, i) - paper)) / (ink - paper))), i, i + 3);
  }
}

/** What is drawn, scaled to MNIST's box with its centre of mass in the middle. */
function centred(image: ImageData): ImageData {
  let [left, top, right, bottom, mass, massX, massY] = [side, side, -1, -1, 0, 0, 0];
  for (let i = 0; i < side * side; i++) {
    const value = brightness(image.data, 4 * i);
    if (value <= inkThreshold) continue;
    const [x, y] = [i % side, Math.floor(i / side)];
    [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
    [mass, massX, massY] = [mass + value, massX + value * x, massY + value * y];
  }
  if (mass === 0) return image;
  const scale = boxSide / Math.max(right - left + 1, bottom - top + 1);
  const from = document.createElement('canvas');
  const to = document.createElement('canvas');
  for (const target of [from, to]) Object.assign(target, { width: side, height: side });
  context(from).putImageData(image, 0, 0);
  const target = context(to);
  target.fillStyle = '#000';
  target.fillRect(0, 0, side, side);
  target.drawImage(
    from,
    side / 2 - (massX / mass) * scale,
    side / 2 - (massY / mass) * scale,
    side * scale,
    side * scale,
  );
  return target.getImageData(0, 0, side, side);
}
