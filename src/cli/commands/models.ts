/** `hourglass models`: list, show, name by aliases, download, remove. */

import { type Command, exitCodes, text, word } from '../command.ts';
import { UsageError } from '../usage-error.ts';

const actions = ['ls', 'show', 'alias', 'share', 'unshare', 'bundle', 'file', 'rm'] as const;

export const modelsCommand: Command = {
  name: 'models',
  summary: 'Lists and shows models, moves aliases, downloads bundles and files.',
  usage: [
    '[ls]',
    'show NAME',
    'alias NAME ALIAS [VERSION]',
    'share NAME',
    'unshare NAME',
    'bundle NAME[@VERSION] [-o FILE]',
    'file NAME@VERSION FILE [-o FILE]',
    'rm NAME[@VERSION] [--force]',
  ],
  actions,
  options: {
    output: { type: 'string', short: 'o', value: 'FILE', help: 'where bytes go; - for stdout' },
    force: { type: 'boolean', help: 'remove although devices may still send frames' },
    weights: { type: 'string', value: 'KIND', help: 'of a bundle: float32 or int8; default both' },
  },
  examples: [
    'hourglass models alias digits stable 3',
    'hourglass models bundle digits -o digits.tar',
    'hourglass models file digits@2 report.html -o report.html',
  ],

  async run(call) {
    const { client, terminal, words, values, signal } = call;
    const action = words[0] ?? 'ls';
    switch (action as (typeof actions)[number]) {
      case 'ls': {
        const models = await client.models.list({ signal });
        terminal.json({ models });
        terminal.table(
          ['MODEL', 'NEWEST', 'ALIASES', 'DATA SET', 'ROW', 'CODE', 'PSNR', 'PCA'],
          models.map(({ name, versions, aliases }) => {
            const newest = versions.at(-1);
            const marks = Object.entries(aliases).map(([alias, version]) => `${alias}=${version}`);
            const figure = (metric: string): string => newest?.metrics[metric]?.toFixed(2) ?? '–';
            const shapes = [newest?.inputShape.join('×') ?? '–', newest?.codeShape.join('×') ?? '–'];
            return [
              name,
              `@${newest?.version ?? '–'}`,
              marks.join(' ') || '–',
              newest?.lineage.dataset.name ?? '–',
              ...shapes,
              figure('test.psnr'),
              figure('test.pca.psnr'),
            ];
          }),
        );
        return exitCodes.done;
      }
      case 'show': {
        const model = await client.models.get(word(call, 1, 'The name of the model'), { signal });
        terminal.json(model);
        terminal.line(JSON.stringify(model, null, 2));
        return exitCodes.done;
      }
      case 'alias': {
        const [name, alias] = [word(call, 1, 'The name of the model'), word(call, 2, 'The alias')];
        const version = words[3];
        if (version === undefined) {
          await client.models.deleteAlias(name, alias, { signal });
          terminal.json({ deleted: alias });
          terminal.line(`${name}:${alias} is removed`);
          return exitCodes.done;
        }
        if (!/^\d+$/.test(version)) throw new UsageError(`"${version}" is not the number of a version.`);
        const model = await client.models.setAlias(name, alias, Number(version), { signal });
        terminal.json(model);
        terminal.line(`${name}:${alias} is version ${version}`);
        return exitCodes.done;
      }
      case 'share':
      case 'unshare': {
        const name = word(call, 1, 'The name of the model');
        await client.models.share(name, action === 'share', { signal });
        terminal.json({ model: name, isShared: action === 'share' });
        terminal.line(action === 'share' ? `other tenants can read ${name} and ask it` : `${name} is shared no longer`);
        return exitCodes.done;
      }
      case 'bundle': {
        const weights = text(call, 'weights');
        if (weights !== undefined && weights !== 'float32' && weights !== 'int8')
          throw new UsageError('--weights is float32 or int8.');
        const bytes = await client.models.bundle(word(call, 1, 'The model'), { ...(weights && { weights }), signal });
        await terminal.write(text(call, 'output'), bytes);
        return exitCodes.done;
      }
      case 'file': {
        const { name, version } = referenceOf(word(call, 1, 'The version, NAME@VERSION,'));
        if (version === undefined) throw new UsageError('Name a version: NAME@VERSION.');
        const bytes = await client.models.file(name, version, word(call, 2, 'The file'), { signal });
        await terminal.write(text(call, 'output'), bytes);
        return exitCodes.done;
      }
      case 'rm': {
        const { name, version } = referenceOf(word(call, 1, 'The model'));
        const options = { force: values.force === true, signal };
        if (version === undefined) await client.models.delete(name, options);
        else await client.models.deleteVersion(name, version, options);
        terminal.json({ deleted: words[1] });
        terminal.line(`${words[1]} is deleted`);
        return exitCodes.done;
      }
      default:
        throw new UsageError(`There is no action "${action}"; there are ${actions.join(', ')}.`);
    }
  },
};

function referenceOf(reference: string): { readonly name: string; readonly version: number | undefined } {
  const [, name = reference, version] = /^([^@]+)@(\d+)$/.exec(reference) ?? [];
  return { name, version: version === undefined ? undefined : Number(version) };
}
