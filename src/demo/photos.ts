/**
 * The page for photographs: this browser encodes one at its own size, the server decodes it, and both are shown beside JPEG and WebP of
 * this browser, of as many bytes or as good.
 *
 *   file or camera ─► pixels ─► worker with the bundle's encoder ─► frame ══► POST /decode ─► picture
 */

import { type LossyType, psnrOfPixels } from '../console/picture-formats.ts';
import { address, client, messageOf } from '../console/server.ts';
import type { PictureReceipt } from '../sdk/picture-encoder.ts';
import { connectPictures } from './camera.ts';
import { closestFile, type Wish } from './closest-file.ts';
import { referenceOf, type Version } from './models.ts';
import { block, canvas, context, element, input, list, made, paint, say, select, show } from './page.ts';
import { PhotoEncoder } from './photo-encoder.ts';

/** Beyond this the browser itself runs out of memory. */
const mostPixels = 50e6;

/** A version of the picture: what it took, and what it looks like. */
interface Shown {
  readonly name: string;
  /** undefined of the original */
  readonly bytes?: number;
  readonly psnr?: number;
  readonly pixels: ImageData;
}

const encoder = new PhotoEncoder();
let original: ImageData | undefined;
let decoded: (Shown & { readonly receipt: PictureReceipt }) | undefined;
/** counts what was begun, so that a slow answer does not overwrite a later one */
let turns = 0;

async function start(): Promise<void> {
  const versions = (await client.models.list()).flatMap((model) => model.versions.slice(-1));
  const codecs = versions.filter(({ picture }) => picture !== undefined);
  if (codecs.length === 0) return tellNoCodec();
  const chooser = select('model');
  chooser.replaceChildren(...codecs.map((version) => new Option(referenceOf(version), referenceOf(version))));
  const asked = new URLSearchParams(location.search).get('model');
  const first = codecs.find(({ name }) => name === asked) ?? codecs[0];
  if (first) chooser.value = referenceOf(first);
  chooser.addEventListener('change', () => void use(chooser.value, codecs).catch(fail));
  show('pick', codecs.length > 1);
  await use(chooser.value, codecs);
  show('flow', true);
}

function tellNoCodec(): void {
  const body = JSON.stringify({ name: 'photos', dataset: 'holiday', model: { type: 'picture' } });
  say('status', '');
  show('message', true);
  say('message-text', 'Upload a folder of photographs and train one on it; then load this page again.');
  show('message-code', true);
  say('message-code', `curl -s ${address}/v1/jobs -H 'content-type: application/json' -d '${body}'`);
}

async function use(reference: string, codecs: readonly Version[]): Promise<void> {
  const version = codecs.find((one) => referenceOf(one) === reference);
  say('status', `Loading ${reference} …`);
  await encoder.load(await client.models.bundle(reference));
  const { picture } = version ?? {};
  say('status', `${reference} is ready${picture ? `, for pictures with ${picture.channels} channels` : ''}.`);
  await encode();
}

function fail(thrown: unknown): void {
  say('status', messageOf(thrown));
}

/** Takes a picture at its own size. */
function take(picture: CanvasImageSource, width: number, height: number): void {
  if (width * height > mostPixels) {
    return say('status', `${width} × ${height} pixels are more than this page takes: ${mostPixels / 1e6} million.`);
  }
  const target = document.createElement('canvas');
  Object.assign(target, { width, height });
  const pen = context(target);
  // as the encoder lays transparent pixels on white
  pen.fillStyle = '#fff';
  pen.fillRect(0, 0, width, height);
  pen.drawImage(picture, 0, 0);
  original = pen.getImageData(0, 0, width, height);
  say('size', `${width} × ${height} pixels`);
  void encode().catch(fail);
}

async function encode(): Promise<void> {
  const picture = original;
  if (!picture) return;
  const turn = ++turns;
  block('flow').dataset.shown = '';
  say('status', 'Encoding on this device …');
  const { frame, receipt, milliseconds } = await encoder.encode(picture, { quality: Number(input('quality').value) });
  if (turn !== turns) return;
  say('status', `${frame.length} bytes are on the way …`);
  const sent = performance.now();
  const answer = await client.decodePicture(frame);
  const pixels = await pixelsOf(answer.picture, picture);
  if (turn !== turns) return;
  const psnr = psnrOfPixels(picture.data, pixels.data);
  const model = `${answer.model}@${answer.version}`;
  decoded = { name: model, bytes: frame.length, psnr, pixels, receipt };
  list('receipt', {
    'on this device': `${Math.round(milliseconds)} ms to encode`,
    'there and back': `${Math.round(performance.now() - sent)} ms`,
    'as raw pixels': `${receipt.rawBytes} bytes, ${receipt.ratio} times as many`,
    ...(receipt.shortfall && { note: receipt.shortfall }),
  });
  paint('right-picture', pixels);
  show('result', true);
  show('cost', true);
  await compare(turn);
}

/** A file's pixels; laid over the picture's size, as all versions have it. */
async function pixelsOf(file: Uint8Array, { width, height }: ImageData): Promise<ImageData> {
  const bitmap = await createImageBitmap(new Blob([new Uint8Array(file)]));
  const target = document.createElement('canvas');
  Object.assign(target, { width, height });
  const pen = context(target);
  pen.drawImage(bitmap, 0, 0);
  bitmap.close();
  return pen.getImageData(0, 0, width, height);
}

/** Shows what is chosen for the left side. */
async function compare(turn = ++turns): Promise<void> {
  const [picture, ours] = [original, decoded];
  if (!picture || !ours) return;
  block('flow').dataset.shown = '';
  const [type = 'original', by = ''] = select('left').value.split(' ');
  let left: Shown = { name: 'original', pixels: picture };
  if (type !== 'original') {
    say('status', 'Writing files of this browser …');
    const wish: Wish = by === 'bytes' ? { bytes: ours.bytes ?? 0 } : { psnr: ours.psnr ?? 0 };
    const found = await closestFile(picture, type as LossyType, wish);
    if (turn !== turns) return;
    const name = type === 'image/webp' ? 'WebP' : 'JPEG';
    if (!found) return say('status', `This browser writes no ${name}.`);
    left = { name, ...found };
  }
  paint('left-picture', left.pixels);
  split();
  zoom();
  say('captions', `Left: ${captionOf(left)}. Right: ${captionOf(ours)}.`);
  tell(picture, [ours, ...(left.bytes === undefined ? [] : [left])]);
  say('status', '');
  block('flow').dataset.shown = `${select('left').value} ${ours.bytes}`;
}

const captionOf = ({ name, bytes, psnr }: Shown): string =>
  bytes === undefined || psnr === undefined ? name : `${name}, ${bytes} bytes, ${psnr.toFixed(2)} dB`;

function tell({ width, height }: ImageData, files: readonly Shown[]): void {
  const rows = files.map(({ name, bytes = 0, psnr = 0 }) => {
    const row = document.createElement('tr');
    const bits = ((8 * bytes) / (width * height)).toFixed(3);
    row.append(made('td', name), made('td', String(bytes)), made('td', bits), made('td', psnr.toFixed(2)));
    return row;
  });
  block('files').replaceChildren(...rows);
}

function split(): void {
  canvas('left-picture').style.clipPath = `inset(0 ${100 - Number(input('split').value)}% 0 0)`;
}

function zoom(): void {
  const { value } = select('zoom');
  block('stage').classList.toggle('fit', value === 'fit');
  for (const id of ['left-picture', 'right-picture']) {
    const shown = canvas(id);
    shown.style.width = value === 'fit' ? '100%' : `${Number(value) * shown.width}px`;
  }
}

input('quality').addEventListener('input', () => say('quality-label', `Quality ${input('quality').value}`));
input('quality').addEventListener('change', () => void encode().catch(fail));
input('split').addEventListener('input', split);
element('left', HTMLSelectElement).addEventListener('change', () => void compare().catch(fail));
element('zoom', HTMLSelectElement).addEventListener('change', zoom);
connectPictures({ onPicture: take, onFailure: (text) => say('status', text) });
start().catch(fail);
