// Writes openapi.yaml from the schemas of the routes, and from it the types of the SDK. Needs the build.
//   node scripts/generate-openapi.mjs
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { contractText } from '../dist/gateway/http/contract-text.js';
import { sdkTypes } from './sdk-types.mjs';

const root = path.resolve(import.meta.dirname, '..');
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const text = await contractText(version);
writeFileSync(path.join(root, 'openapi.yaml'), text);
writeFileSync(path.join(root, 'src/sdk/gen/contract.ts'), sdkTypes(parse(text)));
