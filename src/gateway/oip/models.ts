/**
 * What a model is called and looks like in the Open Inference Protocol: each operation of a model is a model of its own.
 * `digits` is its `encode`; `digits.decode`, `digits.denoise` … name the others. A name may carry a version or an alias as
 * everywhere (`digits@2`, `digits:stable.decode`), or the request's `version` does: a number, or an alias.
 */

import type { Caller } from '../../base/caller.ts';
import { HourglassError } from '../../base/errors.ts';
import type { RowOperation } from '../../registry/manifest.ts';
import type { Tenant } from '../tenants.ts';

const operations = ['encode', 'decode', 'denoise', 'reconstruct', 'classify'] as const satisfies RowOperation[];
const defaultOperation: RowOperation = 'encode';

export interface OipReference {
  /** as the client wrote it */
  readonly name: string;
  /** `digits`, `digits@2`, `digits:stable` */
  readonly model: string;
  readonly operation: RowOperation;
}

/** `operation` is the request's parameter of that name; an empty `version` is none, as gRPC has it. Throws `invalid-request`. */
export function parseName(name: string, version = '', operation?: unknown): OipReference {
  const dot = name.lastIndexOf('.');
  const suffix = operations.find((candidate) => candidate === name.slice(dot + 1) && dot > 0);
  const base = suffix === undefined ? name : name.slice(0, dot);
  if (version !== '' && /[@:]/.test(base)) {
    throw new HourglassError(
      'invalid-request',
      `The name ${JSON.stringify(base.slice(0, 100))} has a version already. Give it once.`,
      {
        field: 'version',
        found: version.slice(0, 100),
      },
    );
  }
  const model = version === '' ? base : `${base}${/^\d+$/.test(version) ? '@' : ':'}${version}`;
  if (operation === undefined || operation === '') return { name, model, operation: suffix ?? defaultOperation };
  const asked = operations.find((candidate) => candidate === operation);
  if (asked === undefined || (suffix !== undefined && suffix !== asked)) {
    throw new HourglassError(
      'invalid-request',
      'The parameter "operation" names no operation, or another than the name does.',
      {
        field: '/parameters/operation',
        expected: suffix ?? operations,
        found: String(operation).slice(0, 100),
      },
    );
  }
  return { name, model, operation: asked };
}

/** A tensor as the protocol describes it; −1 is the batch. */
export interface OipTensor {
  readonly name: string;
  readonly datatype: 'FP32';
  readonly shape: readonly number[];
}

export interface OipModel {
  readonly name: string;
  readonly version: string;
  /** of the model that are there */
  readonly versions: readonly string[];
  readonly operation: RowOperation;
  /** `digits@2` */
  readonly model: string;
  readonly input: OipTensor;
  readonly output: OipTensor;
}

export const oipExtensions = ['binary_tensor_data', 'model_repository', 'model_configuration', 'statistics'] as const;

export const platform = 'hourglass_onnxruntime';

export const inputNameOf = (operation: RowOperation): string => (operation === 'decode' ? 'codes' : 'inputs');

export function outputNameOf(operation: RowOperation): string {
  if (operation === 'encode') return 'codes';
  return operation === 'classify' ? 'probabilities' : 'outputs';
}

export type OipParts = Pick<Tenant, 'registry' | 'predictions'>;

/** Throws what `Predictor.resolve` throws. */
export async function describeModel(parts: OipParts, caller: Caller, reference: OipReference): Promise<OipModel> {
  const { operation } = reference;
  const target = await parts.predictions.resolve(caller, operation, reference.model);
  const model = `${target.model}@${target.version}`;
  const manifest = await parts.registry.resolve(model);
  const { versions } = await parts.registry.getModel(target.model);
  const { inputShape, codeShape, classes = [] } = manifest;
  const [input, output] =
    operation === 'encode'
      ? [inputShape, codeShape]
      : operation === 'decode'
        ? [codeShape, inputShape]
        : [inputShape, operation === 'classify' ? [classes.length] : inputShape];
  return {
    name: reference.name,
    version: String(target.version),
    versions: versions.map(({ version }) => String(version)),
    ...{ operation, model },
    input: { name: inputNameOf(operation), datatype: 'FP32', shape: [-1, ...input] },
    output: { name: outputNameOf(operation), datatype: 'FP32', shape: [-1, ...output] },
  };
}

/** Names of every model here: the model's own, then one for each operation that its newest version answers. */
export async function listNames({ registry }: Pick<Tenant, 'registry'>): Promise<{ name: string; version: string }[]> {
  const names: { name: string; version: string }[] = [];
  for (const name of await registry.listModels()) {
    const manifest = await registry.resolve(name).catch(() => undefined);
    if (!manifest) continue;
    const version = String(manifest.version);
    const answered = operations.filter((operation) => manifest.operations.includes(operation));
    if (answered.includes(defaultOperation)) names.push({ name, version });
    names.push(...answered.map((operation) => ({ name: `${name}.${operation}`, version })));
  }
  return names;
}
