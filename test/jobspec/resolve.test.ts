// A job as a client writes it becomes a specification that can work, or a precise refusal.
import { describe, expect, it } from 'vitest';
import { HourglassError } from '../../src/base/errors.ts';
import { JobRequest } from '../../src/jobspec/request.ts';
import { type DatasetFacts, resolveJobSpec } from '../../src/jobspec/resolve.ts';

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

describe('every type', () => {
  const types = [
    'linear',
    'dense',
    'tied',
    'deep',
    'sparse',
    'k-sparse',
    'denoising',
    'stacked-denoising',
    'contractive',
    'convolutional',
    'variational',
    'rbm',
    'deep-belief',
  ];
  it.each(types)('%s works on MNIST with nothing else given', (type) => {
    const { spec, warnings } = resolveJobSpec(job({ type }), { dataset: mnist });
    expect(warnings).toEqual([]);
    expect(resolveJobSpec(spec, { dataset: mnist }).spec).toEqual(spec);
  });

  it('a machine is trained as its literature does, unless told otherwise', () => {
    expect(resolveJobSpec(job({ type: 'rbm' })).spec.training.optimizer).toMatchObject({
      type: 'sgd',
      momentum: 0.9,
      initialMomentum: 0.5,
    });
    expect(resolveJobSpec(job({ type: 'rbm' }, { optimizer: { type: 'adam' } })).spec.training.optimizer.type).toBe(
      'adam',
    );
  });
});

describe('models that cannot work', () => {
  const pictures = { ...mnist, shape: [28, 28, 1] };
  const unlabelled: DatasetFacts = { shape: [30], range: [-2, 2], rows: { train: 100 } };
  const cases: [string, object, DatasetFacts, string, RegExp][] = [
    ['k larger than the layer', { type: 'k-sparse', code: 20, active: 21 }, mnist, '/model/active', /21.*20/],
    [
      'units that would be paid for and not used',
      { type: 'k-sparse', alpha: 2, compression: { lambda: 0.1 } },
      mnist,
      '/model/alpha',
      /alpha 1/,
    ],
    [
      'sparsity of units without a bound',
      { type: 'sparse', codeActivation: 'relu' },
      mnist,
      '/model/codeActivation',
      /"relu".*"sigmoid"/,
    ],
    [
      'a closed form for several layers',
      { type: 'contractive', hidden: [64] },
      mnist,
      '/model/contraction/method',
      /single layer/,
    ],
    [
      'an exact Jacobian of many units',
      { type: 'contractive', contraction: { method: 'exact' } },
      mnist,
      '/model/contraction/method',
      /64.*256/,
    ],
    ['contraction of switching units', { type: 'contractive', active: 5 }, mnist, '/model/contraction', /active/],
    [
      'an even kernel with switches',
      { type: 'convolutional', unpooling: 'switches', code: 'map', kernel: 4 },
      pictures,
      '/model/kernel',
      /odd/,
    ],
    [
      'switches without a place in the code',
      { type: 'convolutional', unpooling: 'switches' },
      pictures,
      '/model/code',
      /map/,
    ],
    [
      'switches without pooling',
      { type: 'convolutional', unpooling: 'switches', code: 'map', pooling: 'stride' },
      pictures,
      '/model/pooling',
      /max/,
    ],
    [
      'a decoder that cannot return to the shape',
      { type: 'convolutional', channels: [4, 4, 4] },
      pictures,
      '/model/channels',
      /multiples of 8.*28/,
    ],
    [
      'levels for a size with fewer factors',
      { type: 'convolutional', channels: [4, 4, 4] },
      pictures,
      '/model/channels',
      /at most 2 levels/,
    ],
    [
      'levels for an odd size',
      { type: 'convolutional', channels: [4] },
      { ...mnist, shape: [7, 9, 1] },
      '/model/channels',
      /"resize"/,
    ],
    [
      'channels first',
      { type: 'convolutional', channels: [4] },
      { ...mnist, shape: [1, 28, 28] },
      '/model/channels',
      /transpose\(0, 2, 3, 1\)/,
    ],
    ['a classifier for one class', { type: 'dense', head: {} }, { ...mnist, classes: 1 }, '/model/head', /same class/],
    ['convolution of what is no picture', { type: 'convolutional' }, unlabelled, '/model/type', /\[30\].*dense/],
    ['a classifier without labels', { type: 'dense', head: {} }, unlabelled, '/model/head', /labels/],
    [
      'a Bernoulli likelihood outside [0, 1]',
      { type: 'variational', likelihood: 'bernoulli' },
      unlabelled,
      '/model/likelihood',
      /gaussian/,
    ],
    [
      'binary units outside [0, 1]',
      { type: 'rbm', visibleUnits: 'binary' },
      unlabelled,
      '/model/visibleUnits',
      /gaussian/,
    ],
    ['beta with importance weights', { type: 'variational', samples: 5, beta: 2 }, mnist, '/model/beta', /samples/],
    ['cross-entropy of linear outputs', { type: 'linear', loss: 'bce' }, mnist, '/model/loss', /linear/],
  ];
  it.each(cases)('%s', (_, model, dataset, field, text) => {
    const error = refusal(job(model), dataset);
    expect([error.code, error.facts.field]).toEqual(['invalid-spec', field]);
    expect(error.message).toMatch(text);
  });
});

describe('a share of the rows that is less than one row', () => {
  const few = { ...mnist, rows: { train: 50 } };
  const training = (fraction: number) => ({ validation: { fraction }, earlyStopping: { patience: 1 } });

  it('is refused with early stopping, which would watch nothing', () => {
    const error = refusal(job({ type: 'dense' }, training(0.009)), few);
    expect([error.code, error.facts.field]).toEqual(['invalid-spec', '/training/validation/fraction']);
    expect(error.message).toContain('(0.02)');
    resolveJobSpec(job({ type: 'dense' }, training(0.02)), { dataset: few });
    expect(() =>
      resolveJobSpec(job({ type: 'dense' }, training(0.02)), { dataset: { ...few, rows: { train: 49 } } }),
    ).toThrow();
  });

  it('is told of without', () => {
    const { warnings } = resolveJobSpec(job({ type: 'dense' }, { validation: { fraction: 0.009 } }), { dataset: few });
    expect(warnings).toContainEqual(expect.stringContaining('no row is held out'));
  });
});

it('names all allowed members, those that are checked elsewhere too', () => {
  try {
    resolveJobSpec({ ...job({ type: 'dense' }), prio: 1 }, { besides: ['priority', 'deadlineSeconds'] });
  } catch (thrown) {
    expect((thrown as HourglassError).message).toMatch(/training, priority, deadlineSeconds/);
    return;
  }
  throw new Error('was not refused');
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
