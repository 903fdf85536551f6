/**
 * The demo page: this browser encodes, the server decodes.
 *
 *   pad ─► x ─► encoder of the bundle ─► z ─► frame ══► POST /decode ─► x̂
 *                                                  └──► POST /denoise of x with noise
 */

import {
  type Encoder,
  HourglassClient,
  loadEncoder,
  ProblemError,
  pixelsOfRow,
  rowOfPixels,
  type Weights,
} from '../sdk/index.ts';
import { connectPictures } from './camera.ts';
import { Denoiser } from './denoiser.ts';
import { Frames } from './frame-sender.ts';
import { choicesOf, jobSentence, type Notice, noModelNotice, obstacleOf, referenceOf, type Version } from './models.ts';
import { Pad } from './pad.ts';
import { block, button, input, made, paint, say, select, show } from './page.ts';
import { decibels, type Measured, psnrOf, showCode, showCost, showFrame, showReceipt } from './views.ts';

const pollMs = 2000;

const client = new HourglassClient({ baseUrl: new URL('.', location.href).href, retries: 1 });
const denoiser = new Denoiser(client, fail);
const pad = new Pad({ onChange: (settled) => void update(settled).catch(fail) });
const frames = new Frames(client, {
  onDecoded: (answer, frame, roundTripMs) => {
    if (!current || frame !== current.frame) return;
    const { encoder, row, receipt, measured } = current;
    paint('decoded', pixelsOfRow(answer.data, encoder.manifest));
    const psnr = psnrOf(row, answer.data, encoder.manifest.inputRange);
    say('decoded-caption', `${decibels(psnr)}, from these bytes alone`);
    showReceipt(receipt, { ...measured, answer: { model: `${answer.model}@${answer.version}`, roundTripMs, psnr } });
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
/** counts changes, so that a slow one does not overwrite a later one */
let changes = 0;
let choices = 0;

/** Encodes what is on the pad; a stroke that is still being drawn is not sent. */
async function update(settled: boolean): Promise<void> {
  if (!chosen) return;
  const change = ++changes;
  if (settled) {
    block('flow').dataset.decoded = '';
    say('decoded-caption', 'waiting for the server');
  }
  const { encoder, version, weights } = chosen;
  const facts = encoder.manifest;
  const row = rowOfPixels(pad.pixels((facts.inputShape[2] ?? 1) === 1), facts);
  paint('x', pixelsOfRow(row, facts));
  const started = performance.now();
  const { frame, receipt } = await encoder.encode(row, dial());
  const encodeMs = performance.now() - started;
  const code = await encoder.codes(row);
  if (change !== changes) return;
  showCode(code);
  showFrame(frame);
  showCost(receipt);
  const measured = { weights, encodeMs };
  showReceipt(receipt, measured);
  labelDial(receipt.quality);
  current = { encoder, row, frame, receipt, measured };
  if (!settled) return;
  const denoises = version.operations.includes('denoise');
  show('denoise', denoises);
  if (denoises) void denoiser.run(referenceOf(version), row, facts);
  await frames.send(frame);
}

const byBytes = (): boolean => input('mode-bytes').checked;
const dial = () =>
  byBytes() ? { maxBytes: Number(input('bytes').value) } : { quality: Number(input('quality').value) };

function labelDial(quality: number): void {
  const { qualities = [] } = chosen?.encoder ?? {};
  const facts = qualities[quality];
  const about = facts ? `about ${facts.psnr.toFixed(1)} dB` : '';
  say('quality-label', `Quality ${quality + 1} of ${qualities.length}: ${about}`);
  say('bytes-label', `At most ${input('bytes').value} bytes: quality ${quality + 1} of ${qualities.length}, ${about}`);
}

/** Loads a model's encoder and checks it before anything is sent. */
async function choose(version: Version): Promise<void> {
  const choice = ++choices;
  chosen = undefined;
  current = undefined;
  denoiser.hide();
  const obstacle = obstacleOf(version);
  if (obstacle) return notify(obstacle);
  const reference = referenceOf(version);
  say('status', `Loading the encoder of ${reference} …`);
  const weights = select('weights').value as Weights;
  const bundle = await client.models.bundle(reference, { weights });
  const encoder = await loadEncoder(bundle, { weights });
  await encoder.verify();
  if (choice !== choices) return;
  const { qualities } = encoder;
  const ready = `${reference} is ready: ${Math.round(bundle.length / 1000)} kB were loaded to encode in this browser.`;
  chosen = { version, encoder, weights, ready };
  say('status', ready);
  input('quality').max = String(qualities.length - 1);
  input('quality').value = String(qualities.length - 1);
  input('bytes').max = String(Math.ceil(10 + 1.5 * (qualities.at(-1)?.bytesPerRow ?? 64)));
  show('message', false);
  show('flow', true);
  if (pad.isEmpty()) pad.drawExample();
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

async function findModels(): Promise<readonly Version[]> {
  const unaborted = new AbortController().signal;
  for (;;) {
    try {
      const versions = choicesOf(await client.models.list());
      if (versions.length > 0) return versions;
      notify(noModelNotice(await jobSentence(client, unaborted).catch(() => undefined)));
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
  const versions = await findModels();
  const picker = select('model');
  picker.replaceChildren(...versions.map((version) => made('option', referenceOf(version))));
  const wanted = new URLSearchParams(location.search).get('model');
  const asked = versions.findIndex(({ name }) => name === wanted?.replace(/[@:].*$/, ''));
  picker.selectedIndex = Math.max(0, asked);
  show('pick', true);
  const reload = (): void => {
    const version = versions[picker.selectedIndex];
    if (version) choose(version).catch((error) => refuse(version, error));
  };
  picker.addEventListener('change', reload);
  select('weights').addEventListener('change', reload);
  reload();
}

button('clear').addEventListener('click', () => pad.clear());
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
