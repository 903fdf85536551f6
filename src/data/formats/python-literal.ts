/** Parses the Python literals of .npy headers: dict, tuple, list, str, int, True, False, None. Nothing is evaluated. */

export type Literal = string | number | boolean | null | readonly Literal[] | { readonly [key: string]: Literal };

const maxDepth = 16;
const token =
  /\s*(?:([{}[\](),:])|[uUbB]?'((?:[^'\\]|\\.)*)'|[uUbB]?"((?:[^"\\]|\\.)*)"|(-?\d+)[lL]?|(True|False|None)\b)/y;
const words: Readonly<Record<string, boolean | null>> = { True: true, False: false, None: null };

type Token = { readonly mark: string } | { readonly value: string | number | boolean | null };

/** Undefined for anything that is not one whole literal. */
export function parseLiteral(text: string): Literal | undefined {
  const tokens = tokensOf(text);
  if (!tokens) return undefined;
  const reader = new LiteralReader(tokens);
  const value = reader.value(0);
  return reader.atEnd ? value : undefined;
}

function tokensOf(text: string): Token[] | undefined {
  const tokens: Token[] = [];
  token.lastIndex = 0;
  const end = text.trimEnd().length;
  while (token.lastIndex < end) {
    const found = token.exec(text);
    if (!found) return undefined;
    const [, mark, single, double, digits, word] = found;
    if (mark !== undefined) tokens.push({ mark });
    else if (digits !== undefined) tokens.push({ value: Number(digits) });
    else if (word !== undefined) tokens.push({ value: words[word]! });
    else tokens.push({ value: (single ?? double ?? '').replace(/\\(.)/g, '$1') });
  }
  return tokens;
}

class LiteralReader {
  readonly #tokens: readonly Token[];
  #at = 0;
  #failed = false;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get atEnd(): boolean {
    return !this.#failed && this.#at === this.#tokens.length;
  }

  value(depth: number): Literal {
    const next = this.#tokens[this.#at++];
    if (next === undefined || depth > maxDepth) return this.#fail();
    if ('value' in next) return next.value;
    switch (next.mark) {
      case '{':
        return this.#dict(depth);
      case '[':
        return this.#items(']', depth);
      case '(': {
        const items = this.#items(')', depth);
        // (3) is a number in brackets, (3,) a tuple
        const before = this.#tokens[this.#at - 2];
        return items.length === 1 && !(before && 'mark' in before && before.mark === ',') ? items[0]! : items;
      }
      default:
        return this.#fail();
    }
  }

  #items(close: string, depth: number): Literal[] {
    const items: Literal[] = [];
    while (!this.#failed && !this.#take(close)) {
      items.push(this.value(depth + 1));
      if (!this.#take(',') && !this.#next(close)) this.#fail();
    }
    return items;
  }

  #dict(depth: number): Literal {
    const entries: [string, Literal][] = [];
    while (!this.#failed && !this.#take('}')) {
      const key = this.value(depth + 1);
      if (typeof key !== 'string' || !this.#take(':')) return this.#fail();
      entries.push([key, this.value(depth + 1)]);
      if (!this.#take(',') && !this.#next('}')) this.#fail();
    }
    return Object.fromEntries(entries);
  }

  #next(mark: string): boolean {
    const next = this.#tokens[this.#at];
    return next !== undefined && 'mark' in next && next.mark === mark;
  }

  #take(mark: string): boolean {
    if (!this.#next(mark)) return false;
    this.#at++;
    return true;
  }

  #fail(): null {
    this.#failed = true;
    return null;
  }
}
