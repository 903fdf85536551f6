/**
 * The demo page: this browser encodes, the server decodes.
 *
 *   pad ─► x ─► encoder of the bundle ─► z ─► frame ══► POST /decode ─► x̂
 *                                                  └──► POST /denoise of x with noise
 */

import { pngBytes, webpBytes } from '../console/picture-formats.ts';
import { client, getJson, rowsOf } from '../console/server.ts';
import {
  type Encoder,
  type Info,
  loadEncoder,
  ProblemError,
  pixelsOfRow,
  rowOfPixels,
  type Weights,
} from '../sdk/index.ts';
import { connectPictures } from './camera.ts';
import { type Dial, ModelComparison } from './comparison.ts';
import { Denoiser } from './denoiser.ts';
import { Frames } from './frame-sender.ts';
import {
  type Choices,
  choicesOf,
  denoiserFor,
  jobSentence,
  type Notice,
  noModelNotice,
  obstacleOf,
  referenceOf,
  type Version,
} from './models.ts';
import { Pad } from './pad.ts';
import { block, button, input, made, paint, say, select, show } from './page.ts';
import { type Place, showRates } from './rates.tsx';
import { decibels, type Measured, psnrOf, showCode, showCost, showFrame, showNothing, showReceipt } from './views.ts';

const pollMs = 2000;

const denoiser = new Denoiser(client, fail);
const comparison = new ModelComparison(client);
const pad = new Pad({ onChange: (settled) => void update(settled).catch(fail) });
const frames = new Frames(client, {
  onDecoded: (answer, frame, roundTripMs) => {
    if (!current || frame !== current.frame) return;
    const { encoder, row, receipt, measured } = current;
    paint('decoded', pixelsOfRow(answer.data, encoder.manifest));
    const psnr = psnrOf(row, answer.data, encoder.manifest.inputRange);
    say('decoded-caption', `${decibels(psnr)}, from these bytes alone`);
    const model = `${answer.model}@${answer.version}`;
    showReceipt(receipt, { ...measured, answer: { model, roundTripMs, psnr, webp: undefined } });
    places = { ...places, here: [frame.length, psnr] };
    drawRates();
    void webpBytes(pixelsOfRow(row, encoder.manifest), psnr).then((webp) => {
      if (frame !== current?.frame) return;
      showReceipt(receipt, { ...measured, answer: { model, roundTripMs, psnr, webp } });
      places = { ...places, webp: webp === undefined ? undefined : [webp, psnr] };
      drawRates();
    });
    block('flow').dataset.decoded = String(frame.length);
    say('status', chosen?.ready ?? '');
  },
  onRefused: fail,
  onWaiting: (count) => {
    show('offline', count > 0);
    const kept = count === 1 ? '1 frame waits in this browser and is' : `${count} frames wait in this browser and are`;
    if (count > 0) say('offline', `The server cannot be reached. ${kept} sent when it is back.`);
  },
});

/** the model in use */
let chosen:
  | {
      readonly version: Version;
      readonly encoder: Encoder;
      readonly weights: Weights;
      /** removes noise from its rows */
      readonly denoiser: Version | undefined;
      /** what is said of it */
      readonly ready: string;
    }
  | undefined;
/** what was encoded last; an answer to anything else comes too late */
let current:
  | {
      readonly encoder: Encoder;
      readonly row: Float32Array;
      readonly frame: Uint8Array;
      readonly receipt: Awaited<ReturnType<Encoder['encode']>>['receipt'];
      readonly measured: Measured;
    }
  | undefined;
/** where the picture lies on the curve of bytes and quality */
let places: { readonly here?: Place; readonly other?: Place | undefined; readonly webp?: Place | undefined } = {};
/** counts changes, so that a slow one does not overwrite a later one */
let changes = 0;
let choices = 0;

/** Encodes what is on the pad; a stroke that is still being drawn is not sent. */
async function update(settled: boolean): Promise<void> {
  if (!chosen) return;
  const change = ++changes;
  if (pad.isBlank()) {
    current = undefined;
    denoiser.hide();
    block('flow').dataset.decoded = '';
    return showNothing();
  }
  if (settled) {
    block('flow').dataset.decoded = '';
    say('decoded-caption', 'waiting for the server');
  }
  const { encoder, weights, denoiser: cleaner } = chosen;
  const facts = encoder.manifest;
  const row = rowOfPixels(pad.pixels((facts.inputShape[2] ?? 1) === 1), facts);
  const shown = pixelsOfRow(row, facts);
  paint('x', shown);
  if (byBytes()) await limitDial(encoder, row);
  const started = performance.now();
  const { frame, receipt } = await encoder.encode(row, dial());
  const encodeMs = performance.now() - started;
  const code = await encoder.codes(row);
  const png = await pngBytes(shown, shown.channels === 1).catch(() => undefined);
  if (change !== changes) return;
  showCode(code);
  showFrame(frame);
  showCost(receipt, png);
  const measured = { weights, encodeMs, png };
  showReceipt(receipt, measured);
  labelDial(receipt.quality);
  current = { encoder, row, frame, receipt, measured };
  if (!settled) return;
  places = {};
  void compareModels(change).catch(fail);
  show('denoise', cleaner !== undefined);
  if (cleaner) void denoiser.run(referenceOf(cleaner), row, facts);
  await frames.send(frame);
}

/** Sends the picture through the model that is compared with, if there is one. */
async function compareModels(change: number): Promise<void> {
  const share = Number(input('quality').value) / Math.max(1, Number(input('quality').max));
  const asked: Dial = byBytes() ? { maxBytes: Number(input('bytes').value) } : { share };
  const other = await comparison.run((isGray) => pad.pixels(isGray), asked);
  if (change !== changes) return;
  places = { ...places, other };
  drawRates();
}

function drawRates(): void {
  if (!chosen) return;
  const { version } = comparison;
  showRates({
    version: chosen.version,
    here: places.here,
    other: version && { version, here: places.other },
    webp: places.webp,
  });
}

const byBytes = (): boolean => input('mode-bytes').checked;
const dial = () =>
  byBytes() ? { maxBytes: Number(input('bytes').value) } : { quality: Number(input('quality').value) };

/** No limit below what this picture takes at the coarsest quality, none above what it takes at the finest. */
async function limitDial(encoder: Encoder, row: Float32Array): Promise<void> {
  const bytesAt = async (quality: number): Promise<number> => (await encoder.encode(row, { quality })).frame.length;
  const [least, most] = [await bytesAt(0), await bytesAt(encoder.qualities.length - 1)];
  const dial = input('bytes');
  // the browser moves the value into the new bounds
  dial.min = String(Math.min(least, most));
  dial.max = String(Math.max(least, most));
}

function labelDial(quality: number): void {
  const { qualities = [] } = chosen?.encoder ?? {};
  const facts = qualities[quality];
  const about = facts ? `about ${facts.psnr.toFixed(1)} dB` : '';
  say('quality-label', `Quality ${quality + 1} of ${qualities.length}: ${about}`);
  say('bytes-label', `At most ${input('bytes').value} bytes: quality ${quality + 1} of ${qualities.length}, ${about}`);
}

/** Loads a model's encoder and checks it before anything is sent. */
async function choose(version: Version, denoises: Version | undefined): Promise<void> {
  const choice = ++choices;
  chosen = undefined;
  current = undefined;
  denoiser.hide();
  const reference = referenceOf(version);
  say('status', `Loading the encoder of ${reference} …`);
  const weights = select('weights').value as Weights;
  const bundle = await client.models.bundle(reference, { weights });
  const encoder = await loadEncoder(bundle, { weights });
  await encoder.verify();
  if (choice !== choices) return;
  const { qualities } = encoder;
  const ready = `${reference} is ready: ${Math.round(bundle.length / 1000)} kB were loaded to encode in this browser.`;
  chosen = { version, encoder, weights, denoiser: denoises, ready };
  linkTo(version);
  drawRates();
  say('status', ready);
  input('quality').max = String(qualities.length - 1);
  input('quality').value = String(qualities.length - 1);
  show('message', false);
  show('flow', true);
  if (pad.isBlank() && !pad.wasUsed) pad.drawExample();
  else await update(true);
}

function notify({ title, text, code }: Notice): void {
  say('status', '');
  say('message-title', title);
  say('message-text', text);
  say('message-code', code ?? '');
  show('message-code', code !== undefined);
  show('message', true);
  show('flow', false);
}

/** Says why something did not work; what is shown stays. */
function fail(error: unknown): void {
  if (error instanceof ProblemError && error.status === 0) return say('status', 'The server cannot be reached.');
  say('status', error instanceof Error ? error.message : String(error));
}

/** The model's own page, where there is a console. */
function linkTo(version: Version): void {
  const link = block('model-link');
  link.textContent = referenceOf(version);
  link.setAttribute('href', `./#/models/${encodeURIComponent(version.name)}?version=${version.version}`);
  show('model-link', !block('console-links').hidden);
}

/** The server's own choice, if it has one. */
async function defaultModel(): Promise<string | null> {
  const { defaultModel: name = null, pages } = await getJson<Info>('v1/info');
  show('console-links', pages.includes('console'));
  return name;
}

let nextRow = 0;

/** A test row of the data set that the model was trained on: what it has not seen. */
async function showTestRow(): Promise<void> {
  if (!chosen) return;
  const { version, encoder } = chosen;
  const { data, rows } = await rowsOf(version.lineage.dataset.name, 'test', nextRow, 1);
  nextRow = rows > 0 ? nextRow + 1 : 0;
  if (rows > 0 && chosen.version === version) pad.drawRow(pixelsOfRow(data, encoder.manifest));
}

/** Waits until there is a model that the page can work with. */
async function findModels(): Promise<Choices & { readonly all: Awaited<ReturnType<typeof client.models.list>> }> {
  const unaborted = new AbortController().signal;
  for (;;) {
    try {
      const all = await client.models.list();
      const choices = choicesOf(all, await defaultModel().catch(() => null));
      if (choices.usable.length > 0) return { ...choices, all };
      const job = await jobSentence(client, unaborted).catch(() => undefined);
      notify(noModelNotice({ job, other: choices.others.at(-1), address: document.baseURI }));
    } catch (error) {
      fail(error);
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** A model that cannot be used leaves nothing to show. */
function refuse(version: Version, error: unknown): void {
  if (error instanceof ProblemError && error.status === 0) return fail(error);
  notify({ title: `${referenceOf(version)} cannot be used here`, text: error instanceof Error ? error.message : '' });
}

async function start(): Promise<void> {
  const { usable, others, all } = await findModels();
  const picker = select('model');
  picker.replaceChildren(...usable.map((version) => made('option', referenceOf(version))));
  const wanted = new URLSearchParams(location.search).get('model')?.replace(/[@:].*$/, '');
  picker.selectedIndex = Math.max(
    0,
    usable.findIndex(({ name }) => name === wanted),
  );
  show('pick', true);
  const reload = (): void => {
    const version = usable[picker.selectedIndex];
    if (version) choose(version, denoiserFor(version, all)).catch((error) => refuse(version, error));
  };
  picker.addEventListener('change', reload);
  select('weights').addEventListener('change', reload);
  const other = select('other');
  other.replaceChildren(made('option', 'nothing'), ...usable.map((version) => made('option', referenceOf(version))));
  show('other-label', usable.length > 1);
  other.addEventListener('change', () => {
    comparison
      .choose(usable[other.selectedIndex - 1])
      .then(() => update(true))
      .catch(fail);
  });
  const unusable = others.find(({ name }) => name === wanted);
  const obstacle = unusable && obstacleOf(unusable);
  if (obstacle) notify(obstacle);
  else reload();
}

button('clear').addEventListener('click', () => pad.clear());
button('test-row').addEventListener('click', () => void showTestRow().catch(fail));
button('example').addEventListener('click', () => pad.drawExample());
for (const id of ['quality', 'bytes']) {
  input(id).addEventListener('input', () => void update(false).catch(fail));
  input(id).addEventListener('change', () => void update(true).catch(fail));
}
for (const id of ['mode-quality', 'mode-bytes']) {
  input(id).addEventListener('change', () => {
    for (const name of ['quality', 'quality-label']) show(name, !byBytes());
    for (const name of ['bytes', 'bytes-label']) show(name, byBytes());
    void update(true).catch(fail);
  });
}
input('noise').addEventListener('change', () => void update(true).catch(fail));
connectPictures({ onPicture: (picture, width, height) => pad.drawPicture(picture, width, height), onFailure: fail });
void frames.flush();
void start();
