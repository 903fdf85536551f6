/** How to call a version, in several languages. */

import type { ComponentChildren } from 'preact';
import type { Manifest } from '../../sdk/index.ts';
import { address } from '../server.ts';
import { Copied } from './small.tsx';
import { referenceOf } from './versions.tsx';

type Snippets = Readonly<Record<string, ComponentChildren>>;

export function snippetsOf(of: Manifest): Snippets {
  if (of.restorer) return ofRestorer(of);
  if (of.picture) return ofCodec(of);
  const own = ownCalls.find(({ operation }) => of.operations.includes(operation));
  return own ? ofOwnCall(of, own) : ofRows(of);
}

/** A call that only models of one kind answer: what it is sent, and how the SDK is asked. */
interface OwnCall {
  readonly operation: string;
  readonly body: object;
  /** arguments of the client's method after the model */
  readonly given: string;
}

const ownCalls: readonly OwnCall[] = [
  {
    operation: 'recommend',
    body: { ratings: [{ item: '50', rating: 5 }], count: 10 },
    given: "[{ item: '50', rating: 5 }], { count: 10 }",
  },
  { operation: 'analyse', body: { texts: ['Lunch at noon?'] }, given: "['Lunch at noon?']" },
  {
    operation: 'series',
    body: { series: [[0.1, 0.4, null, 0.3]], forecast: 5 },
    given: '[[0.1, 0.4, null, 0.3]], { forecast: 5 }',
  },
  { operation: 'translate', body: { sources: ['hourglass'], best: 3 }, given: "['hourglass'], { best: 3 }" },
];

function ofOwnCall(of: Manifest, { operation, body, given }: OwnCall): Snippets {
  const url = `${address}/v1/models/${referenceOf(of)}/${operation}`;
  const json = JSON.stringify(body);
  return {
    curl: <Copied text={`curl -s ${url} -H 'content-type: application/json' -d '${json}'`} />,
    TypeScript: (
      <Copied
        text={`import { HourglassClient } from 'hourglass-sdk';\n\nconst client = new HourglassClient({ baseUrl: '${address}' });\nconsole.log(await client.${operation}('${referenceOf(of)}', ${given}));`}
      />
    ),
    Python: (
      <Copied
        text={`import requests\n\nprint(requests.post('${url}', json=${json.replaceAll('null', 'None')}).json())`}
      />
    ),
  };
}

const frameType = 'application/vnd.hourglass.frame';

/** Of a codec for pictures of any size. */
function ofCodec(of: Manifest): Snippets {
  const reference = referenceOf(of);
  return {
    curl: (
      <Copied
        text={`# a photograph to a frame, and back\ncurl -s '${address}/v1/models/${reference}/encode?psnr=34' -H 'content-type: image/jpeg' -H 'accept: ${frameType}' --data-binary @photo.jpg -o photo.hgf\ncurl -s ${address}/decode -H 'content-type: ${frameType}' -H 'accept: image/png' --data-binary @photo.hgf -o decoded.png`}
      />
    ),
    TypeScript: (
      <Copied
        text={`import { HourglassClient, loadPictureEncoder } from 'hourglass-sdk';\n\nconst client = new HourglassClient({ baseUrl: '${address}' });\n// on the device: a canvas's ImageData to a frame\nconst encoder = await loadPictureEncoder(await client.models.bundle('${reference}'));\nconst { frame } = encoder.encode(pixels, { psnr: 34 });\nconst { picture } = await client.decodePicture(frame);`}
      />
    ),
    'Command line': (
      <Copied
        text={`hourglass encode photo.jpg --model ${reference} -o photo.hgf\nhourglass decode photo.hgf -o decoded.png`}
      />
    ),
  };
}

/** Of a model that restores pictures of any size. */
function ofRestorer(of: Manifest): Snippets {
  const reference = referenceOf(of);
  const hint = of.restorer?.hasMask ? '# transparent pixels are filled\n' : '';
  return {
    curl: (
      <Copied
        text={`${hint}curl -s ${address}/v1/models/${reference}/denoise -H 'content-type: image/png' -H 'accept: image/png' --data-binary @photo.png -o restored.png`}
      />
    ),
    TypeScript: (
      <Copied
        text={`import { HourglassClient } from 'hourglass-sdk';\n\nconst client = new HourglassClient({ baseUrl: '${address}' });\nconst restored = await client.picture('denoise', '${reference}', { picture: bytes, type: 'image/png' });`}
      />
    ),
    'Command line': <Copied text={`hourglass denoise photo.png --model ${reference} -o restored.png`} />,
  };
}

function ofRows(of: Manifest): Snippets {
  const reference = referenceOf(of);
  const size = of.inputShape.reduce((product, side) => product * side, 1);
  return {
    curl: (
      <Copied
        text={`# a picture to its code, and to a frame of a few bytes\ncurl -s '${address}/v1/models/${reference}/encode?resize=true' -H 'content-type: image/png' --data-binary @picture.png\ncurl -s '${address}/v1/models/${reference}/encode?resize=true' -H 'content-type: image/png' -H 'accept: application/vnd.hourglass.frame' --data-binary @picture.png -o picture.hgf\ncurl -s ${address}/decode -H 'content-type: application/vnd.hourglass.frame' -H 'accept: image/png' --data-binary @picture.hgf -o decoded.png`}
      />
    ),
    TypeScript: (
      <Copied
        text={`import { HourglassClient, loadEncoder } from 'hourglass-sdk';\n\nconst client = new HourglassClient({ baseUrl: '${address}' });\n// on the device: ${size} numbers to a frame\nconst encoder = await loadEncoder(await client.models.bundle('${reference}'));\nconst { frame } = await encoder.encode(new Float32Array(${size}));\nconst { data } = await client.decodeFrame(frame);`}
      />
    ),
    Python: (
      <Copied
        text={`import numpy, requests\n\nrows = numpy.zeros((1, ${size}), 'float32')\nanswer = requests.post('${address}/v1/models/${reference}/encode', json={'inputs': rows.tolist()})\nprint(answer.json()['codes'])`}
      />
    ),
    'Command line': (
      <Copied
        text={`hourglass encode picture.png --model ${reference} -o picture.hgf\nhourglass decode picture.hgf -o decoded.png`}
      />
    ),
  };
}
