// What the app does besides its screen: the encoder of a model, frames of pictures, and an outbox that survives a restart. It needs
// nothing of the platform but what it is given, so that it runs in React Native's engine as it does in Node.
import {
  type Answer,
  type Fetch,
  HourglassClient,
  loadEncoder,
  Outbox,
  type Pixels,
  type Weights,
} from 'hourglass-sdk';

/** Such as AsyncStorage. */
export interface TextStorage {
  getItem(key: string): Promise<string | null>;
  setItem(key: string, value: string): Promise<void>;
}

export interface FrameSenderOptions {
  readonly baseUrl: string;
  readonly apiKey?: string;
  readonly model: string;
  readonly storage: TextStorage;
  /** React Native's own does; another one for tests or certificates of your own */
  readonly fetch?: Fetch;
  readonly onDelivered: (answer: Answer) => void;
  readonly onRefused: (message: string) => void;
}

const framesKey = 'hourglass-frames';
const weights: Weights = 'int8';

/** Frames as text: React Native's storage keeps strings alone. */
const toHex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
const fromHex = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));

export async function openFrameSender({ baseUrl, apiKey, model, storage, fetch, ...on }: FrameSenderOptions) {
  const client = new HourglassClient({ baseUrl, ...(apiKey && { apiKey }), ...(fetch && { fetch }) });
  // once; an app keeps the bundle in its files and asks for a newer one now and then
  const encoder = await loadEncoder(await client.models.bundle(model, { weights }), { weights });
  await encoder.verify();
  const outbox = new Outbox<Answer>({
    send: (frame) => client.decodeFrame(frame),
    storage: {
      load: async () => (JSON.parse((await storage.getItem(framesKey)) ?? '[]') as string[]).map(fromHex),
      save: (frames) => storage.setItem(framesKey, JSON.stringify(frames.map(toHex))),
    },
    onDelivered: on.onDelivered,
    onRefused: (problem) => on.onRefused(problem.message),
  });
  return {
    manifest: encoder.manifest,
    /** Encodes here, keeps the frame, and sends what waits. Resolves to the frame's bytes and to how many frames still wait. */
    async send(pixels: Pixels, maxBytes: number): Promise<{ readonly bytes: number; readonly waiting: number }> {
      const { frame } = await encoder.encodePicture(pixels, { maxBytes });
      await outbox.add(frame);
      return { bytes: frame.length, waiting: await outbox.flush() };
    },
    /** Such as when the network is back. Resolves to how many frames still wait. */
    flush: (): Promise<number> => outbox.flush(),
  };
}
