// A job as a client writes it becomes a specification that can work, or a precise refusal.
import { describe, expect, it } from 'vitest';
import { HourglassError } from '../../src/base/errors.ts';
import { JobRequest } from '../../src/spec/request.ts';
import { type DatasetFacts, resolveJobSpec } from '../../src/spec/resolve.ts';

const job = (model: object, training?: object) => ({
  name: 'digits',
  dataset: 'mnist',
  model,
  ...(training && { training }),
});
const mnist: DatasetFacts = { shape: [28, 28, 1], range: [0, 1], rows: { train: 60_000 }, classes: 10 };

function refusal(raw: unknown, dataset?: DatasetFacts): HourglassError {
  try {
    resolveJobSpec(raw, dataset ? { dataset } : {});
  } catch (thrown) {
    if (thrown instanceof HourglassError) return thrown;
    throw thrown;
  }
  throw new Error('was not refused');
}

describe('defaults', () => {
  it('name, data set and type are enough', () => {
    const { spec, warnings } = resolveJobSpec(job({ type: 'denoising' }));
    expect(spec).toMatchObject({
      model: {
        code: 32,
        hidden: [128],
        corruption: { type: 'gaussian', sigma: 0.5 },
        loss: 'bce',
        outputActivation: 'sigmoid',
      },
      training: {
        epochs: 5,
        batchSize: 128,
        seed: 1,
        optimizer: { type: 'adam', learningRate: 0.001, schedule: { type: 'constant' } },
      },
    });
    expect(warnings).toEqual([]);
  });

  it('resolving twice changes nothing, not even the order of the fields', () => {
    const once = resolveJobSpec(job({ type: 'dense', code: 2 }, { optimizer: { learningRate: 0.01 } }), {
      dataset: mnist,
    });
    const twice = resolveJobSpec(once.spec, { dataset: mnist });
    expect(JSON.stringify(twice)).toBe(JSON.stringify(once));
  });

  it('fills in nested members of the kind that was meant', () => {
    const { spec } = resolveJobSpec(
      job(
        { type: 'denoising', corruption: { type: 'masking' } },
        { optimizer: { type: 'sgd', schedule: { type: 'cosine' } } },
      ),
    );
    expect(spec.model).toMatchObject({ corruption: { type: 'masking', probability: 0.5 } });
    expect(spec.training.optimizer).toMatchObject({
      type: 'sgd',
      learningRate: 0.1,
      schedule: { warmupEpochs: 0, final: 0 },
    });
  });

  it('the loss follows the range of the data', () => {
    const { spec } = resolveJobSpec(job({ type: 'dense' }), { dataset: { ...mnist, range: [-3, 3] } });
    expect(spec.model).toMatchObject({ loss: 'mse', outputActivation: 'linear' });
  });

  it('leaves what it was given as it was', () => {
    const raw = Object.freeze(job(Object.freeze({ type: 'dense' })));
    expect(() => resolveJobSpec(raw)).not.toThrow();
  });
});

describe('refusals name the field, what was found and what is allowed', () => {
  const cases: [string, unknown, string, string, RegExp][] = [
    ['no object', null, 'invalid-type', '', /object.*null/],
    ['no name', { dataset: 'mnist', model: { type: 'dense' } }, 'invalid-request', '/name', /name/],
    ['a bad name', { ...job({ type: 'dense' }), name: 'Digits!' }, 'invalid-spec', '/name', /lower-case/],
    ['an unknown type', job({ type: 'gan' }), 'invalid-spec', '/model/type', /"gan".*"dense"/],
    ['no type', job({}), 'invalid-request', '/model/type', /"dense"/],
    ['an unknown field', job({ type: 'dense', units: 3 }), 'unknown-field', '/model/units', /units.*code, hidden/],
    ['a number as text', job({ type: 'dense', code: '32' }), 'invalid-type', '/model/code', /integer.*string/],
    ['null', job({ type: 'dense', hidden: [64, null] }), 'invalid-type', '/model/hidden/1', /null/],
    ['a fraction', job({ type: 'dense', code: 3.5 }), 'invalid-spec', '/model/code', /3\.5.*integer/],
    ['out of range', job({ type: 'dense', code: 0 }), 'invalid-spec', '/model/code', /0.*from 1/],
    [
      'beyond float32',
      job({ type: 'dense' }, { optimizer: { learningRate: 1e39 } }),
      'non-finite',
      '/training/optimizer/learningRate',
      /1e\+39/,
    ],
    [
      'NaN',
      job({ type: 'dense' }, { optimizer: { learningRate: Number.NaN } }),
      'non-finite',
      '/training/optimizer/learningRate',
      /NaN/,
    ],
    ['too many layers', job({ type: 'dense', hidden: Array(17).fill(8) }), 'invalid-spec', '/model/hidden', /17/],
    [
      'a prototype',
      job(JSON.parse('{"type":"dense","__proto__":{}}')),
      'unknown-field',
      '/model/__proto__',
      /__proto__/,
    ],
    [
      'bce without sigmoid',
      job({ type: 'dense', loss: 'bce', outputActivation: 'relu' }),
      'invalid-spec',
      '/model/outputActivation',
      /"relu".*"sigmoid"/,
    ],
    [
      'early stopping on nothing',
      job({ type: 'dense' }, { earlyStopping: {}, validation: { fraction: 0 } }),
      'invalid-spec',
      '/training/validation/fraction',
      /held-out/,
    ],
  ];
  for (const [what, raw, code, field, text] of cases) {
    it(what, () => {
      const error = refusal(raw);
      expect(error.code).toBe(code);
      expect(error.facts.field).toBe(field);
      expect(error.message).toMatch(text);
    });
  }

  it('cross-entropy on data outside [0, 1]', () => {
    const error = refusal(job({ type: 'dense', loss: 'bce' }), { ...mnist, range: [0, 255] });
    expect(error.code).toBe('invalid-spec');
    expect(error.facts).toMatchObject({ field: '/model/loss', found: 'bce' });
    expect(error.message).toMatch(/\[0, 255\]/);
  });
});

describe('warnings', () => {
  it('a code that could copy, more rows than there are, a batch larger than the data', () => {
    const { warnings } = resolveJobSpec(job({ type: 'dense', code: 784 }, { maxSamples: 90_000, batchSize: 60_000 }), {
      dataset: mnist,
    });
    expect(warnings).toHaveLength(3);
    expect(warnings[0]).toMatch(/784/);
  });
});

describe('the contract', () => {
  it('asks for no more than name, data set and type', () => {
    const request = JobRequest as unknown as {
      required: string[];
      properties: { model: { anyOf: { required: string[] }[] } };
    };
    expect(request.required).toEqual(['name', 'dataset', 'model']);
    for (const model of request.properties.model.anyOf) expect(model.required).toEqual(['type']);
  });
});
