/** What the Open Inference Protocol's REST calls take in their paths and answer, as far as it has a fixed form. */

import { Type } from 'typebox';
import { referencePattern } from '../../registry/reference.ts';

const operation = '(?:[.](?:encode|decode|denoise|reconstruct|classify))?';

export const ModelParams = Type.Object({
  model: Type.String({
    pattern: referencePattern.replace(/\$$/, `${operation}$`),
    description: 'a model, digits, whose operation may follow: digits.decode',
  }),
});
export const VersionParams = Type.Object({
  model: ModelParams.properties.model,
  version: Type.String({
    pattern: '^(?:[1-9][0-9]{0,8}|[a-z][a-z0-9._-]{0,62})$',
    description: 'number of a version, or an alias',
  }),
});

const tensor = Type.Object({
  name: Type.String(),
  datatype: Type.String(),
  shape: Type.Array(Type.Integer({ minimum: -1 }), { description: '-1: any number of rows' }),
});
const configured = Type.Object({ name: Type.String(), data_type: Type.String(), dims: Type.Array(Type.Integer()) });
const outcome = Type.Object({ count: Type.Integer({ minimum: 0 }), ns: Type.Integer({ minimum: 0 }) });
const name = Type.String();

export const Live = Type.Object({ live: Type.Boolean(), ready: Type.Boolean() });
export const ServerFacts = Type.Object({ name, version: Type.String(), extensions: Type.Array(Type.String()) });
export const ModelNames = Type.Object({ models: Type.Array(name) });
export const ModelFacts = Type.Object({
  name,
  versions: Type.Array(Type.String()),
  platform: Type.String(),
  inputs: Type.Array(tensor),
  outputs: Type.Array(tensor),
});
export const ModelReady = Type.Object({ name, ready: Type.Boolean() });
export const ModelConfig = Type.Object({
  name,
  platform: Type.String(),
  backend: Type.String(),
  max_batch_size: Type.Integer({ minimum: 1 }),
  input: Type.Array(configured),
  output: Type.Array(configured),
});
export const ModelStatistics = Type.Object({
  model_stats: Type.Array(
    Type.Object({
      name,
      version: Type.Optional(Type.String()),
      last_inference: Type.Integer({ minimum: 0, description: 'milliseconds since 1970' }),
      inference_count: Type.Integer({ minimum: 0, description: 'rows' }),
      execution_count: Type.Integer({ minimum: 0, description: 'requests' }),
      inference_stats: Type.Object({ success: outcome, fail: outcome }),
    }),
  ),
});
export const RepositoryIndex = Type.Array(
  Type.Object({ name, version: Type.String(), state: Type.Enum(['READY']), reason: Type.String() }),
);
export const Nothing = Type.Object({}, { additionalProperties: false });
