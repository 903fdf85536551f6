// The generated code is what the protos say, the protos keep to their rules, and no number on the wire ever changes.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { DescEnum, DescFile, DescMessage } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { file_google_rpc_error_details } from '../../../src/gen/google/rpc/error_details_pb.ts';
import { file_google_rpc_status } from '../../../src/gen/google/rpc/status_pb.ts';
import { file_grpc_health_v1_health } from '../../../src/gen/grpc/health/v1/health_pb.ts';
import { file_grpc_reflection_v1_reflection } from '../../../src/gen/grpc/reflection/v1/reflection_pb.ts';
import { file_grpc_reflection_v1alpha_reflection } from '../../../src/gen/grpc/reflection/v1alpha/reflection_pb.ts';
import { file_hourglass_v1_dataset } from '../../../src/gen/hourglass/v1/dataset_pb.ts';
import { file_hourglass_v1_inference } from '../../../src/gen/hourglass/v1/inference_pb.ts';
import { file_hourglass_v1_registry } from '../../../src/gen/hourglass/v1/registry_pb.ts';
import { file_hourglass_v1_sweep } from '../../../src/gen/hourglass/v1/sweep_pb.ts';
import { file_hourglass_v1_training } from '../../../src/gen/hourglass/v1/training_pb.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const buf = (...args: string[]): string =>
  execFileSync(path.join(root, 'node_modules/.bin/buf'), args, {
    cwd: root,
    encoding: 'utf8',
    env: { PATH: `${path.join(root, 'node_modules/.bin')}:${process.env.PATH}`, HOME: os.tmpdir() },
  });

function filesUnder(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  return Object.fromEntries(names.sort().map((name) => [name, readFileSync(path.join(folder, name), 'utf8')]));
}

describe('protos', () => {
  it('follow the lint rules and the format', () => {
    expect(buf('lint')).toBe('');
    expect(buf('format', '--diff')).toBe('');
  });

  it('are what src/gen was generated from', () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-gen-'));
    try {
      const template = parse(readFileSync(path.join(root, 'buf.gen.yaml'), 'utf8'));
      template.plugins[0].out = folder;
      const file = path.join(folder, 'buf.gen.yaml');
      writeFileSync(file, stringify({ ...template, clean: false }));
      buf('generate', '--template', file);
      const generated = filesUnder(folder);
      expect(Object.keys(generated).length).toBeGreaterThan(8);
      expect(filesUnder(path.join(root, 'src/gen'))).toEqual(generated);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** One line for whatever has a place on the wire. */
function wireOf(file: DescFile): string[] {
  const lines: string[] = [];
  const addEnum = (desc: DescEnum) => {
    for (const value of desc.values) lines.push(`${desc.typeName}.${value.name} = ${value.number}`);
  };
  const addMessage = (message: DescMessage) => {
    for (const field of message.fields) {
      const { proto } = field;
      const map = field.fieldKind === 'map' ? ` map ${field.mapKey} ${field.scalar ?? ''}` : '';
      const type = (proto.typeName === '' ? `type ${proto.type}` : proto.typeName) + map;
      const oneof = field.oneof ? ` in ${field.oneof.name}` : '';
      lines.push(`${message.typeName}.${field.name} = ${field.number} ${type} label ${proto.label}${oneof}`);
    }
    message.nestedEnums.forEach(addEnum);
    message.nestedMessages.forEach(addMessage);
  };
  file.enums.forEach(addEnum);
  file.messages.forEach(addMessage);
  for (const service of file.services) {
    for (const { name, input, output, methodKind } of service.methods) {
      lines.push(`${service.typeName}/${name} ${methodKind} ${input.typeName} ${output.typeName}`);
    }
  }
  return lines.sort();
}

// A line may be added. One that is gone or changed breaks clients: reserve the number and take a new one instead.
it('keeps every name and number on the wire', async () => {
  const files = [
    file_google_rpc_error_details,
    file_google_rpc_status,
    file_grpc_health_v1_health,
    file_grpc_reflection_v1_reflection,
    file_grpc_reflection_v1alpha_reflection,
    file_hourglass_v1_dataset,
    file_hourglass_v1_inference,
    file_hourglass_v1_registry,
    file_hourglass_v1_sweep,
    file_hourglass_v1_training,
  ];
  await expect(`${files.flatMap(wireOf).join('\n')}\n`).toMatchFileSnapshot('../../golden/grpc-wire.txt');
});
