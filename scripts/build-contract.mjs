// Writes the contract that gateways serve, openapi.yaml and openapi.json, into dist/ or the folder of a build that is named.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const root = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '..');
const to = path.resolve(process.argv[2] ?? path.join(root, 'dist'));
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const { contract, contractText } = await import(pathToFileURL(path.join(to, 'gateway/http/contract-text.js')).href);
writeFileSync(path.join(to, 'openapi.yaml'), await contractText(version));
writeFileSync(path.join(to, 'openapi.json'), JSON.stringify(await contract(version)));
