// Writes openapi.yaml from the schemas of the routes. Needs the build.
//   node scripts/generate-openapi.mjs
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { contractText } from '../dist/gateway/http/contract-text.js';

const root = path.resolve(import.meta.dirname, '..');
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
writeFileSync(path.join(root, 'openapi.yaml'), await contractText(version));
