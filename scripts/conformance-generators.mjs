// Generates clients from openapi.yaml with other people's generators, compiles them, and looks for every call in them.
// Writes bench/generators.md. Tools are installed into a folder outside of the repository; what is missing on this machine
// (python3, java) is said and left out.
//   npm run conformance:generators
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parse } from 'yaml';

const versions = { 'openapi-python-client': '0.29.1', 'openapi-typescript': '7.13.0', 'openapi-generator': '7.14.0' };
const root = path.resolve(import.meta.dirname, '..');
const contractFile = path.join(root, 'openapi.yaml');
const contract = parse(readFileSync(contractFile, 'utf8'));
const calls = Object.values(contract.paths).flatMap((methods) =>
  Object.values(methods).map((call) => call.operationId),
);
const tools = path.join(os.tmpdir(), 'hourglass-generators');
const work = mkdtempSync(path.join(os.tmpdir(), 'hourglass-clients-'));
mkdirSync(tools, { recursive: true });

const tsc = path.join(root, 'node_modules/.bin/tsc');
const strict = '--noEmit --strict --target es2022 --module esnext --moduleResolution bundler --lib es2022,dom'.split(
  ' ',
);
const run = (command, args, cwd = work) =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const isThere = (command, arg) => spawnSync(command, [arg]).status === 0;
const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const allText = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(path.join(entry.parentPath ?? entry.path, entry.name), 'utf8'))
    .join('\n');

/** Each gives the names of the calls that are missing from its client. Throws when the client does not compile. */
const generators = {
  'openapi-python-client': {
    needs: () => isThere('python3', '--version'),
    lacks: 'python3',
    run() {
      const venv = path.join(tools, 'python');
      const program = path.join(venv, 'bin/openapi-python-client');
      if (!existsSync(program)) {
        run('python3', ['-m', 'venv', venv]);
        run(path.join(venv, 'bin/pip'), [
          'install',
          '-q',
          `openapi-python-client==${versions['openapi-python-client']}`,
        ]);
      }
      const client = path.join(work, 'hourglass_client');
      run(program, ['generate', '--path', contractFile, '--output-path', client, '--meta', 'none']);
      const modules = readdirSync(path.join(client, 'api'), { recursive: true, encoding: 'utf8' });
      const imports = modules
        .filter((file) => file.endsWith('.py') && !file.endsWith('__init__.py'))
        .map((file) => `import hourglass_client.api.${file.slice(0, -3).replaceAll(path.sep, '.')}`);
      run(path.join(venv, 'bin/python'), ['-c', imports.join('\n')]);
      // a call whose body could not be read is left out as a whole; one of several content types is left out by itself
      return calls.filter((call) => !imports.some((line) => line.endsWith(`.${snake(call)}`)));
    },
  },
  'openapi-typescript': {
    needs: () => true,
    lacks: '',
    run() {
      const folder = path.join(tools, 'openapi-typescript');
      const program = path.join(folder, 'node_modules/.bin/openapi-typescript');
      if (!existsSync(program)) {
        mkdirSync(folder, { recursive: true });
        run('npm', [
          'install',
          '--prefix',
          folder,
          '--no-audit',
          '--no-fund',
          `openapi-typescript@${versions['openapi-typescript']}`,
        ]);
      }
      const types = path.join(work, 'contract.d.ts');
      // without it, members of requests that have a default must be there
      run(program, [contractFile, '-o', types, '--default-non-nullable=false']);
      const job = (type) =>
        `import type { components } from './contract.js';
export const job: components['schemas']['JobRequest'] = { name: 'x', dataset: 'mnist', model: { type: '${type}' } };\n`;
      writeFileSync(path.join(work, 'right.ts'), job('dense'));
      run(tsc, [...strict, 'right.ts']);
      writeFileSync(path.join(work, 'wrong.ts'), job('densee'));
      if (spawnSync(tsc, [...strict, 'wrong.ts'], { cwd: work }).status === 0)
        throw new Error("type: 'densee' compiles");
      const text = readFileSync(types, 'utf8');
      return calls.filter((call) => !text.includes(`operations["${call}"]`));
    },
  },
  'openapi-generator': {
    needs: () => isThere('java', '-version') && isThere('mvn', '--version'),
    lacks: 'java and mvn',
    run() {
      const client = openapiGenerator('typescript-fetch');
      run(tsc, [...strict, path.join(client, 'index.ts')]);
      const text = allText(path.join(client, 'apis'));
      return calls.filter((call) => !text.includes(`async ${call}(`));
    },
  },
  'openapi-generator (Kotlin)': {
    needs: () => isThere('java', '-version') && isThere('mvn', '--version'),
    lacks: 'java and mvn',
    run() {
      const client = openapiGenerator('kotlin');
      writeFileSync(
        path.join(client, 'pom.xml'),
        mavenProject(readFileSync(path.join(client, 'build.gradle'), 'utf8')),
      );
      run('mvn', ['-q', 'compile'], client);
      const text = allText(path.join(client, 'src/main/kotlin/org/openapitools/client/apis'));
      return calls.filter((call) => !text.includes(`fun ${call}(`));
    },
  },
  'openapi-generator (Swift)': {
    needs: () => isThere('java', '-version') && isThere('mvn', '--version'),
    lacks: 'java and mvn',
    // no registry that this project uses has a Swift compiler for Linux; with one on the machine the client is compiled
    compiler: () => isThere('swift', '--version'),
    run() {
      const client = openapiGenerator('swift6');
      if (this.compiler()) run('swift', ['build'], client);
      const text = allText(path.join(client, 'Sources'));
      return calls.filter((call) => !text.includes(`func ${call}(`));
    },
  },
};

/** A client in the folder of its language. */
function openapiGenerator(language) {
  const version = versions['openapi-generator'];
  const jar = path.join(tools, `openapi-generator-cli-${version}.jar`);
  const artifact = `org.openapitools:openapi-generator-cli:${version}`;
  if (!existsSync(jar))
    run('mvn', ['-q', 'dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${tools}`], tools);
  const client = path.join(work, language);
  run('java', ['-jar', jar, 'generate', '-g', language, '-i', contractFile, '-o', client]);
  return client;
}

/** What the generated build.gradle asks for, for Maven: the compiler and the packages of the client. */
function mavenProject(gradle) {
  const kotlin = gradle.match(/kotlin_version = '([^']+)'/)[1];
  const dependencies = [...gradle.matchAll(/^\s*implementation "([^:"]+):([^:"]+):([^"]+)"/gm)].map(
    ([, group, name, version]) =>
      `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version.replace('$kotlin_version', kotlin)}</version></dependency>`,
  );
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>org.openapitools</groupId><artifactId>client</artifactId><version>1</version>
<properties><project.build.sourceEncoding>UTF-8</project.build.sourceEncoding></properties>
<dependencies>${dependencies.join('')}</dependencies>
<build><sourceDirectory>src/main/kotlin</sourceDirectory><plugins><plugin>
<groupId>org.jetbrains.kotlin</groupId><artifactId>kotlin-maven-plugin</artifactId><version>${kotlin}</version>
<executions><execution><id>compile</id><goals><goal>compile</goal></goals></execution></executions>
</plugin></plugins></build></project>
`;
}

const rows = [];
let failed = false;
for (const [name, generator] of Object.entries(generators)) {
  let result;
  if (!generator.needs()) result = `not run: this machine has no ${generator.lacks}`;
  else {
    try {
      const missing = generator.run();
      failed ||= missing.length > 0;
      const compiled = generator.compiler?.() ?? true;
      const all = `all ${calls.length} calls, ${compiled ? 'compiles' : 'NOT COMPILED: this machine has no compiler of it'}`;
      result = missing.length === 0 ? all : `without ${missing.join(', ')}`;
    } catch (error) {
      failed = true;
      result = `fails: ${String(error.stdout || error.stderr || error.message).slice(0, 400)}`;
    }
  }
  const version = versions[name.split(' ')[0]];
  console.log(`${name} ${version}: ${result}`);
  rows.push(`| ${name} ${version} | ${result.replaceAll('\n', ' ')} |`);
}
rmSync(work, { recursive: true, force: true });
const page = `# Clients that others generate from openapi.yaml

Written by \`npm run conformance:generators\`: each generator makes a client of the contract, the client is compiled (TypeScript
strict; Python by importing every module), and every call of the contract is looked for in it. With openapi-typescript a job of the type
\`densee\` must not compile (and \`--default-non-nullable=false\` is needed: members that have a default may be left out). openapi-generator makes its \`typescript-fetch\`
client, its \`kotlin\` one (compiled by Maven with the compiler and packages that its build.gradle names) and its \`swift6\` one.

| generator | result |
| --- | --- |
${rows.join('\n')}

openapi-python-client leaves out single content types that it does not know (pictures, \`text/csv\`, \`application/x-tar\`) and says so;
the calls themselves are there with JSON and \`application/octet-stream\`.
`;
writeFileSync(path.join(root, 'bench/generators.md'), page);
process.exit(failed ? 1 : 0);
