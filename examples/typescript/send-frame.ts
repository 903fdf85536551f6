// Encodes a picture on this device, sends its frame and gets the picture back. A frame waits while the server is away.
//   npx tsx send-frame.ts MODEL
import { HourglassClient, loadEncoder, Outbox, type Pixels, pixelsOfRow } from 'hourglass-sdk';

const [model = 'digits'] = process.argv.slice(2);
const baseUrl = process.env.HOURGLASS_URL ?? 'http://127.0.0.1:8080';
const apiKey = process.env.HOURGLASS_API_KEY;
const client = new HourglassClient({ baseUrl, ...(apiKey && { apiKey }) });

// once: the encoder, some hundred kilobytes; keep the bundle on the device
const encoder = await loadEncoder(await client.models.bundle(model, { weights: 'int8' }), { weights: 'int8' });
await encoder.verify();

const outbox = new Outbox({
  send: (frame) => client.decodeFrame(frame),
  onDelivered: ({ data, model: by, version }) => {
    const back = pixelsOfRow(data, encoder.manifest);
    console.log(`decoded by ${by}@${version}: ${back.width} × ${back.height}`);
  },
  onRefused: (problem) => console.error(problem.message),
});

/** What a camera would give: a bright disc. */
function picture(side: number): Pixels {
  const data = new Uint8ClampedArray(4 * side * side).fill(255);
  for (let i = 0; i < side * side; i++) {
    const away = Math.hypot((i % side) - side / 2, Math.floor(i / side) - side / 2);
    data.fill(away < side / 3 ? 255 : 0, 4 * i, 4 * i + 3);
  }
  return { width: side, height: side, data };
}

// brought to the model's size as the server would do it; at most 40 bytes
const { frame, receipt } = await encoder.encodePicture(picture(64), { maxBytes: 40 });
console.log(
  `${receipt.rawBytes} bytes of picture in a frame of ${frame.length}, about ${receipt.estimatedPsnr.toFixed(1)} dB`,
);
await outbox.add(frame);
console.log(`${await outbox.flush()} frames wait`);
