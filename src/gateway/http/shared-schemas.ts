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
    ...part,
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

  /** JSON Schema 2020-12, which OpenAPI 3.1 uses, has tuples under another name than before. */
  const itemsOf = (items: Node | readonly Node[], hint: string, owner: string): object =>
    Array.isArray(items)
      ? { prefixItems: items.map((item) => replace(item, hint, owner)), items: false, additionalItems: undefined }
      : { items: replace(items as Node, hint, owner) };

  const whole = Object.entries(roots).map(([name, root]) => {
    suffix = name.endsWith('Request') ? 'Request' : '';
    return [name, inside(root, name, name)] as const;
  });
  return { ...Object.fromEntries(whole), ...shared };
}

const reference = (name: string): Node => ({ $ref: `${name}#` }) as Node;

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
