/**
 * Gives parts of schemas that appear again and again a name of their own, so that the contract describes them once. Names
 * come from where a part stands: the member `optimizer` → `Optimizer`, its kind `adam` → `OptimizerAdam`, and in what a
 * client sends `OptimizerAdamRequest`.
 */

interface Node {
  readonly type?: unknown;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly anyOf?: readonly Node[];
  readonly items?: Node | readonly Node[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly description?: string;
}

/** shorter parts are read more easily where they stand */
const worthwhile = 200;

/** The given schemas with references (`Name#`) in place of shared parts, and those parts. Order and names are stable. */
export function shareSchemas(roots: Readonly<Record<string, object>>): Record<string, object> {
  const counts = new Map<string, number>();
  for (const root of Object.values(roots)) countParts(root, counts);
  const names = new Map(Object.entries(roots).map(([name, root]) => [JSON.stringify(root), name]));
  const shared: Record<string, object> = {};

  const isShared = (part: Node, json: string): boolean =>
    json.length >= worthwhile &&
    (part.properties !== undefined || part.anyOf !== undefined) &&
    ((counts.get(json) ?? 0) > 1 || kindOf(part) !== undefined);

  /** what schemas of the root that is being taken apart end with */
  let suffix = '';

  /** `hint` is what the part would be called, `owner` the named schema around it, which tells different ones apart */
  const replace = (part: Node, hint: string, owner: string): Node => {
    const json = JSON.stringify(part);
    const known = names.get(json);
    if (known !== undefined) return reference(known);
    if (!isShared(part, json)) return inside(part, hint, owner);
    const taken = new Set([...names.values()]);
    const name =
      [hint + suffix, owner + hint].find((candidate) => !taken.has(candidate)) ?? `${owner}${hint}${taken.size}`;
    names.set(json, name);
    shared[name] = inside(part, hint, name);
    return reference(name);
  };

  const inside = (part: Node, hint: string, owner: string): Node => ({
    ...withoutObjectDefault(part),
    ...(part.anyOf && {
      anyOf: part.anyOf.map((member) => replace(member, hint + pascal(kindOf(member) ?? ''), owner)),
    }),
    ...(part.items && itemsOf(part.items, hint, owner)),
    ...(part.properties && {
      properties: Object.fromEntries(
        Object.entries(part.properties).map(([key, member]) => [key, replace(member, pascal(key), owner)]),
      ),
    }),
  });

  /** A tuple of equals as a list of so many: generators of clients stumble over `prefixItems` with `items: false`. */
  const itemsOf = (items: Node | readonly Node[], hint: string, owner: string): object => {
    if (!Array.isArray(items)) return { items: replace(items as Node, hint, owner) };
    const [first] = items as readonly Node[];
    if (new Set(items.map((item) => JSON.stringify(item))).size !== 1)
      throw new Error(`${owner}: a tuple of several types`);
    return {
      items: replace(first as Node, hint, owner),
      minItems: items.length,
      maxItems: items.length,
      additionalItems: undefined,
    };
  };

  const whole = Object.entries(roots).map(([name, root]) => {
    suffix = name.endsWith('Request') ? 'Request' : '';
    return [name, inside(root, name, name)] as const;
  });
  return { ...Object.fromEntries(whole), ...shared };
}

const reference = (name: string): Node => ({ $ref: `${name}#` }) as Node;

/** Generators of clients drop a schema whose default is an object, and every call that uses it; it is said in words instead. */
function withoutObjectDefault(part: Node): Node {
  if (typeof part.default !== 'object' || part.default === null) return part;
  const { default: value, description, ...rest } = part;
  const words = `default ${JSON.stringify(value)}`;
  return { ...rest, description: description === undefined ? words : `${description}; ${words}` } as Node;
}

/** What tells a member of a union apart. */
function kindOf({ properties }: Node): string | undefined {
  const kind = properties?.type?.const;
  return typeof kind === 'string' ? kind : undefined;
}

function countParts(part: Node, counts: Map<string, number>): void {
  const json = JSON.stringify(part);
  counts.set(json, (counts.get(json) ?? 0) + 1);
  const members = [part.anyOf, part.items, Object.values(part.properties ?? {})].flat() as (Node | undefined)[];
  for (const member of members) if (member) countParts(member, counts);
}

const pascal = (text: string): string => text.replace(/(?:^|[-_ ])(\w)/g, (_, first: string) => first.toUpperCase());
