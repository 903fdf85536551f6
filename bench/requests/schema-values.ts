// Values by a JSON schema of the contract: valid ones for the most part, and with `wrongness` junk in the place of any part.
import type { Contract, ContractSchema } from '../../src/gateway/http/contract.ts';
import { anyJunk, type Draw } from './draw.ts';
import { minimalJob, minimalSearch, newName, reference, rows, type Sender } from './names.ts';

interface Schema extends ContractSchema {
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly additionalProperties?: boolean | Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
}

const optionalShare = 0.3;
const deepest = 12;

export class SchemaValues {
  readonly #schemas: Readonly<Record<string, ContractSchema>>;
  readonly #draw: Draw;
  readonly #sender: Sender;
  readonly #wrongness: number;

  /** `wrongness`: how probable junk is at each part */
  constructor(contract: Contract, draw: Draw, sender: Sender, wrongness: number) {
    this.#schemas = contract.components.schemas;
    this.#draw = draw;
    this.#sender = sender;
    this.#wrongness = wrongness;
  }

  /** `name`: of the member or parameter that the value is for */
  value(schema: Schema, name = '', depth = 0): unknown {
    const draw = this.#draw;
    if (draw.chance(this.#wrongness)) return anyJunk(draw);
    const known = this.#known(name);
    if (known !== undefined) return known;
    if (depth > deepest) return null;
    if (schema.$ref) {
      const target = schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1);
      if (target === 'JobRequest' && draw.chance(0.6)) return minimalJob(draw, this.#sender);
      return this.value(this.#schemas[target] ?? {}, name, depth + 1);
    }
    if (schema.const !== undefined) return schema.const;
    if (schema.enum) return draw.pick(schema.enum);
    const choice = schema.anyOf ?? schema.oneOf;
    if (choice) return this.value(draw.pick(choice), name, depth + 1);
    if (schema.allOf) return Object.assign({}, ...schema.allOf.map((part) => this.value(part, name, depth + 1)));
    switch (schema.type) {
      case 'object':
        return this.#object(schema, depth);
      case 'array': {
        const least = schema.minItems ?? 0;
        const count = Math.min(schema.maxItems ?? least + 4, least + draw.below(4));
        const items = schema.items || {};
        return Array.from({ length: count }, () => this.value(items, '', depth + 1));
      }
      case 'integer':
        return Math.round(this.#number(schema));
      case 'number':
        return this.#number(schema);
      case 'boolean':
        return draw.chance(0.5);
      case 'null':
        return null;
      case 'string':
        return this.#text(schema);
      default:
        return draw.chance(0.5) ? anyJunk(draw) : {};
    }
  }

  /** Members that requests only succeed with when they fit to what is there. */
  #known(name: string): unknown {
    const draw = this.#draw;
    if (draw.chance(0.2)) return undefined;
    if (name === 'inputs') return rows(draw, 4);
    if (name === 'codes') return rows(draw, 2);
    if (name === 'search') return draw.chance(0.7) ? minimalSearch(draw) : undefined;
    if (name === 'name' || name === 'filename') return newName(draw);
    if (name === 'dataset') return reference(draw, this.#sender, 'dataset');
    if (name === 'tenant') return draw.chance(0.5) ? this.#sender.own.name : undefined;
    if (name === 'version') return 1;
    return undefined;
  }

  #object(schema: Schema, depth: number): Record<string, unknown> {
    const draw = this.#draw;
    const found: Record<string, unknown> = {};
    for (const [name, member] of Object.entries(schema.properties ?? {})) {
      const isAsked = schema.required?.includes(name) ? !draw.chance(this.#wrongness) : draw.chance(optionalShare);
      if (isAsked) found[name] = this.value(member, name, depth + 1);
    }
    const { additionalProperties: others } = schema;
    if (typeof others === 'object' && draw.chance(0.5)) found[newName(draw)] = this.value(others, '', depth + 1);
    if (draw.chance(this.#wrongness)) found[draw.pick(['x', 'constructor', 'toString', ''])] = anyJunk(draw);
    return found;
  }

  #number({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Schema): number {
    const draw = this.#draw;
    const low = minimum ?? exclusiveMinimum ?? -10;
    const high = maximum ?? exclusiveMaximum ?? Math.max(low, 0) + 100;
    const kind = draw.below(6);
    if (kind === 0) return low;
    if (kind === 1) return high;
    return low + draw.next() * Math.min(high - low, 20);
  }

  #text({ pattern, minLength = 0, maxLength = 20, format }: Schema): string {
    const draw = this.#draw;
    if (format === 'date-time') return '2026-01-01T00:00:00Z';
    if (pattern !== undefined) {
      const rule = new RegExp(pattern, 'u');
      const fitting = [
        newName(draw),
        '1-1',
        '1',
        draw.hex(16),
        '0'.repeat(26),
        'auto',
        '#ffffff',
        draw.hex(64),
        '/training/seed',
      ];
      return fitting.find((text) => rule.test(text)) ?? 'a';
    }
    return 'a'.repeat(Math.max(minLength, draw.below(Math.min(maxLength, 20) + 1)));
  }
}
