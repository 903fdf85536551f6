// Tests run the TypeScript sources; threads and child processes that they start run the build in dist/.
import path from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Files that want a process of their own: they measure its memory, set its environment, tell denormal numbers from zero (ONNX Runtime
 * takes them as zero, in the whole thread), or start so many processes themselves that they load little. All others share a
 * process with the files before them, so that modules are loaded once and not for each file.
 */
const apart = [
  'test/{attack,cli,console,demo,docker,helm,store,telemetry,up,worker}/**/*.test.ts',
  'test/gateway/{state-metrics,metrics-server}.test.ts',
  'test/gateway/grpc/{message-memory,protocol}.test.ts',
  'test/gateway/http/raw.test.ts',
  'test/gateway/json/*.test.ts',
  'test/data/{csv,image,npy}.test.ts',
  'test/codec/frame.test.ts',
  'test/engine/update-memory.test.ts',
  'test/models/served.test.ts',
  'test/picture{,s}/{agreement,pictures}.test.ts',
  'test/platform/{buffered-log,shutdown}.test.ts',
  'test/sdk/equality.test.ts',
  'test/*.test.ts',
];

/** The longest ones. Where vitest has not measured it yet it goes by the size of files, and one of these would run alone at the end. */
const first = [
  'up/up',
  'console/console',
  'models/served',
  'worker/faults',
  'worker/outages',
  'store/machines',
  'journey',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = first.findIndex((name) => moduleId === path.resolve(import.meta.dirname, `test/${name}.test.ts`));
      return at < 0 ? first.length : at;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    globalSetup: ['test/build.ts'],
    pool: 'forks',
    // on two cores: many of the tests wait for processes more than they compute
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    env: { ORT_DISABLE_TELEMETRY: '1' },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    projects: [
      { extends: true, test: { name: 'apart', include: apart } },
      {
        extends: true,
        test: { name: 'together', include: ['test/**/*.test.ts'], exclude: apart, isolate: false },
      },
    ],
  },
});
