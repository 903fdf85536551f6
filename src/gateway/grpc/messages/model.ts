/** Models, versions and files as messages: the same members as over REST. */

import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import {
  type FileEntrySchema,
  type ModelSchema,
  type ModelVersionSchema,
  Operation as OperationNumber,
} from '../../../gen/hourglass/v1/registry_pb.ts';
import type { FileEntry, Manifest, ModelView, Operation } from '../../../registry/manifest.ts';
import { jsonObject } from './job.ts';

const operationNumbers = {
  encode: OperationNumber.ENCODE,
  decode: OperationNumber.DECODE,
  denoise: OperationNumber.DENOISE,
  reconstruct: OperationNumber.RECONSTRUCT,
  classify: OperationNumber.CLASSIFY,
  generate: OperationNumber.GENERATE,
  outliers: OperationNumber.OUTLIERS,
  recommend: OperationNumber.RECOMMEND,
  analyse: OperationNumber.ANALYSE,
  series: OperationNumber.SERIES,
  translate: OperationNumber.TRANSLATE,
} as const satisfies Record<Operation, OperationNumber>;

export const fileMessage = ({ path, bytes, sha256 }: FileEntry): MessageInitShape<typeof FileEntrySchema> => ({
  path,
  bytes: BigInt(bytes),
  sha256,
});

export function versionMessage(manifest: Manifest): MessageInitShape<typeof ModelVersionSchema> {
  const { name, version, createdAt, operations, inputShape, codeShape, inputRange, lineage, metrics, files } = manifest;
  const { inputScaling, classes = [], preprocessing } = manifest;
  const { spec, dataset, ...rest } = lineage;
  return {
    name,
    version,
    createdAt: timestampFromDate(new Date(createdAt)),
    operations: operations.map((operation) => operationNumbers[operation]),
    inputShape,
    codeShape,
    inputRange,
    ...(inputScaling && { inputScaling }),
    classes: [...classes],
    ...(preprocessing && { preprocessing }),
    lineage: {
      ...rest,
      ...(typeof spec === 'object' && spec !== null && { spec: jsonObject(spec) }),
      datasetName: dataset.name,
      datasetHash: dataset.hash,
    },
    metrics,
    files: files.map(fileMessage),
  };
}

export const modelMessage = ({
  name,
  aliases,
  aliasChanges,
  versions,
  isShared = false,
}: ModelView): MessageInitShape<typeof ModelSchema> => ({
  name,
  aliases,
  aliasChanges: aliasChanges.map(({ at, ...change }) => ({ ...change, at: timestampFromDate(new Date(at)) })),
  versions: versions.map(versionMessage),
  shared: isShared,
});
