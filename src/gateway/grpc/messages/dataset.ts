/** Data sets as messages, and the messages of an upload as its files. */

import { fromJson, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromDate, ValueSchema } from '@bufbuild/protobuf/wkt';
import { HourglassError } from '../../../base/errors.ts';
import type { DatasetInfo, UploadPart } from '../../../data/dataset.ts';
import {
  type CreateDatasetRequest,
  DatasetRole,
  type DatasetSchema,
  type DatasetUpload,
} from '../../../gen/hourglass/v1/dataset_pb.ts';
import type { SeriesFacts } from '../../../jobspec/series-facts.ts';

export function datasetMessage(info: DatasetInfo): MessageInitShape<typeof DatasetSchema> {
  const {
    shape,
    range,
    rows,
    classNames = [],
    columns = [],
    labelColumn,
    warnings,
    createdAt,
    sizes: _sizes,
    ratings,
    documents,
    series,
    pairs,
    ...same
  } = info;
  return {
    ...same,
    shape: [...shape],
    range: [...range],
    rows: { ...rows },
    ...(ratings && { ratings: { ...ratings, range: [...ratings.range] } }),
    ...(documents && { documents: { train: countsOf(documents.train), test: countsOf(documents.test) } }),
    ...(series && { series: seriesMessage(series) }),
    ...(pairs && { pairs: { ...pairs, sources: { ...pairs.sources } } }),
    classNames: [...classNames],
    columns: [...columns],
    ...(labelColumn !== undefined && { labelColumn: fromJson(ValueSchema, labelColumn) }),
    warnings: [...warnings],
    ...(createdAt !== undefined && { createdAt: timestampFromDate(new Date(createdAt)) }),
  };
}

const countsOf = ({ words, entries }: { words: number; entries: number }) => ({
  words: BigInt(words),
  entries: BigInt(entries),
});

const seriesMessage = ({ train, test, missing, means, deviations, channels = [], ...lengths }: SeriesFacts) => ({
  ...lengths,
  ...{ train: BigInt(train), test: BigInt(test), missing: BigInt(missing) },
  ...{ means: [...means], deviations: [...deviations], channels: [...channels] },
});

const roles: Readonly<Record<number, UploadPart['role']>> = {
  [DatasetRole.UNSPECIFIED]: 'rows',
  [DatasetRole.ROWS]: 'rows',
  [DatasetRole.LABELS]: 'labels',
  [DatasetRole.TEST_ROWS]: 'test-rows',
  [DatasetRole.TEST_LABELS]: 'test-labels',
  [DatasetRole.ITEMS]: 'items',
};

const order = 'Send `upload` first, then for each file `part` and its `chunk`s.';

const misplaced = (message: string, found: string | undefined): HourglassError =>
  new HourglassError('invalid-request', `${message} ${order}`, { expected: order, found: found ?? 'nothing' });

/**
 * Reads the first message and hands out the rest as files, each of which is read to its end before the next:
 *
 *   upload   part  chunk chunk …   part  chunk …
 *   └ head   └ part 1 ──────────   └ part 2 ────
 */
export async function readUpload(
  requests: AsyncIterable<CreateDatasetRequest>,
): Promise<{ readonly head: DatasetUpload; readonly parts: AsyncIterable<UploadPart> }> {
  const messages = requests[Symbol.asyncIterator]();
  const first = await messages.next();
  const content = first.done ? undefined : first.value.content;
  if (content?.case !== 'upload') throw misplaced('The upload does not begin with `upload`.', content?.case);
  return { head: content.value, parts: readParts(messages) };
}

async function* readParts(messages: AsyncIterator<CreateDatasetRequest>): AsyncGenerator<UploadPart> {
  let message = await messages.next();
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    for (; !message.done && message.value.content.case === 'chunk'; message = await messages.next()) {
      yield message.value.content.value;
    }
  };
  while (!message.done) {
    const part = partOf(message.value);
    if (message.value.content.case === 'part') message = await messages.next();
    yield { ...part, content: chunks() };
    // What the reader left over is passed by; the next file begins after it.
    for await (const _ of chunks());
  }
}

function partOf({ content }: CreateDatasetRequest): Omit<UploadPart, 'content'> {
  if (content.case === 'chunk') return { role: 'rows' };
  if (content.case !== 'part') throw misplaced('The upload has a message out of place.', content.case);
  const { role, fileName } = content.value;
  const known = roles[role];
  if (known === undefined) throw misplaced(`There is no file role ${role}.`, String(role));
  return { role: known, ...(fileName !== '' && { fileName }) };
}
