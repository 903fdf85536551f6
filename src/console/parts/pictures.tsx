/** Rows as pictures on one canvas, or as small curves where they are no pictures. */

import { useEffect, useRef } from 'preact/hooks';

export interface SheetProps {
  /** values from 0 to 255, row after row */
  readonly bytes: Uint8Array | Uint8ClampedArray;
  /** of one row */
  readonly shape: readonly number[];
  readonly rows: number;
  readonly label: string;
  /** rows side by side; default all */
  readonly columns?: number;
}

const gap = 1;
const curve = { width: 96, height: 40 };

export const isPicture = (shape: readonly number[]): boolean =>
  shape.length === 3 && (shape[2] === 1 || shape[2] === 3);

/** Values of a range as bytes. */
export function toBytes(values: Float32Array, [low, high]: readonly [number, number]): Uint8ClampedArray {
  const scale = high > low ? 255 / (high - low) : 0;
  return Uint8ClampedArray.from(values, (value) => (value - low) * scale);
}

export const fromBase64 = (text: string): Uint8Array => Uint8Array.from(atob(text), (digit) => digit.charCodeAt(0));

export function Sheet({ bytes, shape, rows, label, columns = rows }: SheetProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (canvas.current) drawSheet(canvas.current, bytes, shape, rows, columns);
  }, [bytes, shape, rows, columns]);
  return <canvas ref={canvas} class={isPicture(shape) ? 'sheet' : 'sheet curves'} role="img" aria-label={label} />;
}

function drawSheet(
  canvas: HTMLCanvasElement,
  bytes: ArrayLike<number>,
  shape: readonly number[],
  rows: number,
  columns: number,
): void {
  const [height = 1, width = 1] = isPicture(shape) ? shape : [curve.height, curve.width];
  const across = Math.max(1, Math.min(columns, rows));
  const down = Math.ceil(rows / across);
  canvas.width = across * (width + gap) - gap;
  canvas.height = Math.max(1, down * (height + gap) - gap);
  canvas.style.setProperty('--across', String(across));
  const context = canvas.getContext('2d');
  if (!context) return;
  const size = shape.reduce((product, side) => product * side, 1);
  for (let row = 0; row < rows; row++) {
    const [x, y] = [(row % across) * (width + gap), Math.floor(row / across) * (height + gap)];
    if (isPicture(shape)) context.putImageData(pixels(bytes, row * size, shape), x, y);
    else drawCurve(context, bytes, row * size, size, x, y);
  }
}

/** One row as an image of its own. */
export function pixels(
  bytes: ArrayLike<number>,
  from: number,
  [height = 1, width = 1, channels = 1]: readonly number[],
): ImageData {
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = bytes[from + i * channels + (channels === 3 ? c : 0)] ?? 0;
    image.data[4 * i + 3] = 255;
  }
  return image;
}

function drawCurve(
  context: CanvasRenderingContext2D,
  bytes: ArrayLike<number>,
  from: number,
  size: number,
  x: number,
  y: number,
) {
  context.strokeStyle = getComputedStyle(context.canvas).color;
  context.beginPath();
  for (let i = 0; i < size; i++) {
    const left = x + (size > 1 ? (i * (curve.width - 2)) / (size - 1) : 0) + 1;
    const top = y + curve.height - 1 - ((bytes[from + i] ?? 0) / 255) * (curve.height - 2);
    if (i === 0) context.moveTo(left, top);
    else context.lineTo(left, top);
  }
  context.stroke();
}
