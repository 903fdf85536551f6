/**
 * Uploads as multipart/form-data: `name` and `options` as fields, then the files, each under its role. Files are passed on
 * as they arrive, one after the other; nothing is kept.
 */

import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { Busboy } from '@fastify/busboy';
import { HourglassError } from '../../base/errors.ts';
import type { UploadPart } from '../../data/dataset.ts';
import { octets } from './media.ts';
import { clientGone } from './read-body.ts';

export interface MultipartHead {
  readonly fields: Readonly<Record<string, string>>;
  readonly parts: AsyncIterable<UploadPart>;
}

const fieldNames = ['name', 'options'] as const;
const roles = ['rows', 'labels', 'test-rows', 'test-labels', 'items'] as const satisfies UploadPart['role'][];

const isField = (name: string | undefined): boolean => fieldNames.some((field) => field === name);
const isRole = (name: string | undefined): boolean => roles.some((role) => role === name);

const limits = {
  fieldNameSize: 100,
  fieldSize: 64 * 1024,
  fields: fieldNames.length,
  files: roles.length,
  parts: fieldNames.length + roles.length,
  headerPairs: 20,
  headerSize: 8 * 1024,
} as const;
/** RFC 2046, section 5.1.1 */
const longestBoundary = 70;

type Step = { readonly field: string; readonly value: string } | { readonly part: UploadPart };

/**
 * Reads up to the first file. Throws `malformed-body`, `too-many-parts`, `unknown-field`; so may the iteration of the
 * parts. Each part's content must be read to its end before the next one is asked for.
 */
export async function readMultipart(request: IncomingMessage): Promise<MultipartHead> {
  const contentType = request.headers['content-type'] ?? '';
  const boundary = /;\s*boundary\s*=\s*(?:"([^"]*)"|([^;\s]+))/i.exec(contentType);
  const text = boundary?.[1] ?? boundary?.[2] ?? '';
  if (text === '' || text.length > longestBoundary) {
    throw malformed(`The boundary of the Content-Type must have 1 to ${longestBoundary} characters.`);
  }
  const steps = stepsOf(request, contentType);
  const fields: Record<string, string> = {};
  for (;;) {
    const next = await steps.next();
    if (next.done) return { fields, parts: nothing() };
    const step = next.value;
    if ('part' in step) return { fields, parts: partsFrom(step.part, steps) };
    if (Object.hasOwn(fields, step.field)) throw malformed(`The field "${step.field}" was sent twice.`);
    fields[step.field] = step.value;
  }
}

async function* nothing(): AsyncGenerator<UploadPart> {}

async function* partsFrom(first: UploadPart, steps: AsyncIterator<Step>): AsyncGenerator<UploadPart> {
  yield first;
  for (;;) {
    const next = await steps.next();
    if (next.done) return;
    if ('field' in next.value)
      throw malformed(`The field "${next.value.field}" comes after a file. Send fields first.`);
    yield next.value.part;
  }
}

/** Fields and files in the order in which they arrive; the request is read no faster than files are. */
async function* stepsOf(request: IncomingMessage, contentType: string): AsyncGenerator<Step, void> {
  const parser = new Busboy({
    headers: { ...request.headers, 'content-type': contentType },
    limits,
    // By name: clients send options as a file (new Blob([json])) and files without a file name (curl -F 'rows=<x.csv').
    isPartAFile: (field, type, fileName) =>
      !isField(field) && (isRole(field) || type === octets || fileName !== undefined),
  });
  const steps: Step[] = [];
  let failure: unknown;
  let finished = false;
  let wake = (): void => {};
  let open: Readable | undefined;
  const fail = (error: unknown): void => {
    failure ??= error;
    request.unpipe(parser);
    open?.destroy();
    wake();
  };
  parser
    .on('field', (field: string | undefined, value, nameCut, valueCut) => {
      if (field === undefined) fail(nameless());
      else if (nameCut || valueCut) fail(malformed('A field is longer than allowed.'));
      else if (!isField(field)) fail(unknownField(field));
      else steps.push({ field, value });
      wake();
    })
    .on('file', (field: string | undefined, stream, fileName) => {
      open = stream;
      stream.on('error', () => fail(breaksOff()));
      if (field === undefined) return fail(nameless());
      const role = roles.find((name) => name === field);
      if (role === undefined) return fail(unknownField(field));
      const content = contentOf(stream, () => failure);
      steps.push({ part: { role, ...(fileName ? { fileName } : {}), content } });
      wake();
    })
    .on('partsLimit', () => fail(tooMany()))
    .on('filesLimit', () => fail(tooMany()))
    .on('fieldsLimit', () => fail(tooMany()))
    .on('error', () => fail(breaksOff()))
    .on('finish', () => {
      finished = true;
      wake();
    });
  const gone = (): void => {
    if (!request.complete) fail(clientGone());
  };
  request.once('close', gone);
  request.pipe(parser);
  try {
    for (;;) {
      if (failure !== undefined) throw failure;
      const step = steps.shift();
      if (step !== undefined) yield step;
      else if (finished) return;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    request.off('close', gone);
    request.unpipe(parser);
    open?.destroy();
  }
}

/** The file's bytes; a body that breaks off inside of it is an error and not its end. */
async function* contentOf(stream: Readable, failure: () => unknown): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of stream) yield chunk;
  } catch (error) {
    throw failure() ?? error;
  }
}

const malformed = (message: string): HourglassError => new HourglassError('malformed-body', message);

const breaksOff = (): HourglassError => malformed('The multipart body is not well formed, or ends too early.');

/** The parser's types know of no such part. What is thrown in its callbacks would end the process. */
const nameless = (): HourglassError =>
  malformed('A part has no name: Content-Disposition must be form-data with a name, such as name="rows".');

const tooMany = (): HourglassError =>
  new HourglassError(
    'too-many-parts',
    `The body has too many parts. Send ${fieldNames.join(' and ')} once, and at most one file each of ${roles.join(', ')}.`,
    { expected: [...fieldNames, ...roles] },
  );

const unknownField = (field: string): HourglassError =>
  new HourglassError(
    'unknown-field',
    `There is no part ${JSON.stringify(field.slice(0, 100))} here; there are ${[...fieldNames, ...roles].join(', ')}.`,
    { field: field.slice(0, 100), expected: [...fieldNames, ...roles], found: field.slice(0, 100) },
  );
