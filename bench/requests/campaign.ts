// Clients of two tenants that send generated requests to a gateway, each the next one when the last was answered, and judge every answer.
import type { ClientHttp2Session } from 'node:http2';
import { fromBinary } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { errorTable } from '../../src/base/errors.ts';
import { ErrorInfoSchema } from '../../src/gen/google/rpc/error_details_pb.ts';
import { StatusSchema } from '../../src/gen/google/rpc/status_pb.ts';
import { call, openSession } from '../attack/wire.ts';
import { flawOf } from './contract.ts';
import { Draw } from './draw.ts';
import { type GrpcRequest, grpcRequest } from './grpc-requests.ts';
import { kindOf, type Sender } from './names.ts';
import { exchangeDamaged, RestConnection } from './rest-connection.ts';
import { type RestRequest, restRequest } from './rest-requests.ts';
import { type CampaignTenant, Owners } from './tenants.ts';

/** What must not happen. */
export const findingKinds = ['unplanned', 'off the contract', 'leaks', 'internals'] as const;
export type FindingKind = (typeof findingKinds)[number];

export interface CampaignOptions {
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly tenants: readonly [CampaignTenant, CampaignTenant];
  readonly seed: number;
  /** connections, half of them REST */
  readonly clients: number;
  /** in all */
  readonly requests: number;
  readonly isOver?: () => boolean;
}

/** Words of the inside: stacks, places of the machine, libraries. */
const internals =
  /\n\s+at \S+ \(|node_modules|file:\/\/|\/tmp\/|ECONNREFUSED|ReplyError|\bioredis\b|TypeError|RangeError: |is not a function|Cannot read prop/;
const keptFindings = 50;
const streamDeadline = '100m';

export class Campaign {
  readonly counts: Record<string, number> = {};
  readonly findings: Record<FindingKind, string[]> = {
    unplanned: [],
    'off the contract': [],
    leaks: [],
    internals: [],
  };
  /** operations and methods that succeeded at least once */
  readonly succeeded = new Set<string>();
  sent = 0;
  readonly #options: CampaignOptions;
  readonly #owners = new Owners();
  readonly #sessions: ClientHttp2Session[] = [];

  constructor(options: CampaignOptions) {
    this.#options = options;
    for (const { name, names } of options.tenants) for (const thing of names) this.#owners.set(thing, name);
  }

  async run(): Promise<void> {
    const { tenants, clients, seed } = this.#options;
    await Promise.all(
      Array.from({ length: clients }, (_, i) => {
        const isFirst = i % 4 < 2;
        const sender: Sender = { own: tenants[isFirst ? 0 : 1], other: tenants[isFirst ? 1 : 0] };
        const draw = new Draw(seed * 1000 + i);
        return i % 2 === 0 ? this.#restClient(sender, draw, i) : this.#grpcClient(sender, draw);
      }),
    );
    for (const session of this.#sessions) session.destroy();
  }

  #isOver(): boolean {
    return this.sent >= this.#options.requests || this.#options.isOver?.() === true;
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  #note(kind: FindingKind, what: string): void {
    this.#count(`finding: ${kind}`);
    if (this.findings[kind].length < keptFindings) this.findings[kind].push(what.slice(0, 1500));
  }

  async #restClient(sender: Sender, draw: Draw, client: number): Promise<void> {
    const { httpPort } = this.#options;
    const address = `127.0.0.${10 + (client % 8)}`;
    const connection = new RestConnection(httpPort, address);
    while (!this.#isOver()) {
      this.sent++;
      const request = restRequest(draw, sender, httpPort);
      const { answer, received } = request.isDamaged
        ? await exchangeDamaged(httpPort, address, request.bytes)
        : await connection.exchange(request.bytes, request.method === 'HEAD');
      this.#judgeText(sender, request.bytes, received.toString('latin1'));
      this.#count(`REST ${answer?.status ?? 'no answer'}${request.isDamaged ? ' to damaged requests' : ''}`);
      const shown = (): string => `${request.bytes.toString('latin1')} → ${received.toString('latin1').slice(0, 600)}`;
      if (answer && answer.status >= 500 && answer.status !== 504) this.#note('unplanned', shown());
      if (request.isDamaged) continue;
      if (!answer) {
        this.#note('unplanned', `REST, no answer: ${shown()}`);
        continue;
      }
      const flaw = flawSafely(request, answer);
      if (flaw !== undefined) this.#note('off the contract', `${flaw}: ${shown()}`);
      if (answer.status < 300) this.#learn(sender, request.method, request.template, answer.body);
    }
    connection.close();
  }

  /** Ids and names that requests have made are asked for by later ones. */
  #learn(sender: Sender, method: string, template: string | undefined, body: Buffer): void {
    if (template === undefined) return;
    this.succeeded.add(`${method} ${template}`);
    if (method !== 'POST') return;
    const kind = /^\/v1\/(jobs|sweeps|datasets|keys)(\/\{id\}\/(retry|rotate))?$/.test(template) && kindOf(template);
    if (!kind) return;
    const { id, name, key, tenant } = JSON.parse(body.toString()) as Readonly<Record<string, string | undefined>>;
    this.#keep(sender, kind, (kind === 'dataset' ? name : id) ?? '', tenant, key);
  }

  #keep(
    { own }: Sender,
    kind: NonNullable<ReturnType<typeof kindOf>>,
    name: string,
    tenant = own.name,
    key?: string,
  ): void {
    if (name === '' || tenant !== own.name) return;
    own.remember(kind, name);
    // Short names may be those of both tenants.
    if (kind !== 'dataset' || /-[0-9a-f]{12}$/.test(name)) this.#owners.set(name, own.name);
    if (key === undefined) return;
    own.rememberSecret(key);
    this.#owners.set(key, 'nobody');
  }

  /** Names of the other tenant's things that an answer tells and its request did not; words of the inside. */
  #judgeText({ own }: Sender, request: Buffer, answer: string): void {
    const asked = request.toString('latin1');
    for (const name of this.#owners.foreign(own.name, asked, answer))
      this.#note('leaks', `${name} to ${own.name}: ${asked.slice(0, 400)} → ${answer}`);
    const word = internals.exec(answer)?.[0];
    if (word !== undefined && !asked.includes(word.trim()))
      this.#note('internals', `${word}: ${asked.slice(0, 400)} → ${answer}`);
  }

  async #grpcClient(sender: Sender, draw: Draw): Promise<void> {
    let session: ClientHttp2Session | undefined;
    while (!this.#isOver()) {
      if (!session || session.destroyed || session.closed) {
        session = await openSession(this.#options.grpcPort);
        this.#sessions.push(session);
      }
      this.sent++;
      await this.#grpcCall(session, sender, grpcRequest(draw, sender), draw.chance(0.98));
    }
  }

  async #grpcCall(session: ClientHttp2Session, sender: Sender, request: GrpcRequest, hasKey: boolean): Promise<void> {
    const { method, bytes, isDamaged } = request;
    const path = `${method.parent.typeName}/${method.name}`;
    const isStream = method.methodKind === 'server_streaming' && method.name.startsWith('Watch');
    const stream = call(session, path, {
      'grpc-timeout': isStream ? streamDeadline : '30S',
      ...(hasKey && { authorization: sender.own.authorization }),
    });
    if (!stream) return;
    const heard: Buffer[] = [];
    const trailers = await new Promise<Record<string, unknown> | undefined>((resolve) => {
      let fields: Record<string, unknown> | undefined;
      const take = (found: Record<string, unknown>): void => {
        if (found['grpc-status'] !== undefined) fields = found;
      };
      stream
        .on('response', take)
        .on('trailers', take)
        .on('close', () => resolve(fields));
      stream.on('data', (chunk: Buffer) => heard.push(chunk));
      stream.end(bytes);
    });
    const status = trailers === undefined ? -1 : Number(trailers['grpc-status']);
    this.#count(`gRPC ${status === -1 ? 'no status' : status}`);
    const details = Buffer.from(String(trailers?.['grpc-status-details-bin'] ?? ''), 'base64');
    const text = decodeURIComponent(String(trailers?.['grpc-message'] ?? '').replace(/%(?![0-9A-F]{2})/gi, '%25'));
    const all = Buffer.concat(heard);
    this.#judgeText(sender, bytes, all.toString('latin1') + details.toString('latin1') + text);
    const shown = `gRPC ${status} ${path} ${text}: ${bytes.toString('latin1')}`;
    // 2 UNKNOWN, 13 INTERNAL, 14 UNAVAILABLE, 15 DATA_LOSS
    if (status === -1 || [2, 13, 14, 15].includes(status)) this.#note('unplanned', shown);
    // A stream that says something until its deadline has succeeded too.
    if (status === 0 || (isStream && all.length > 0)) this.#judgeMessages(sender, request, all, shown);
    // 1 CANCELLED and 4 DEADLINE_EXCEEDED may be the library's own words.
    if (status <= 0 || [1, 4].includes(status) || isDamaged) return;
    const reasons = fromBinary(StatusSchema, details).details.map((one) => anyUnpack(one, ErrorInfoSchema)?.reason);
    if (!reasons.some((reason) => reason !== undefined && reason in errorTable))
      this.#note('off the contract', `${shown}: no code of the error table`);
  }

  /** Whether what came is whole messages of the method's type, with no field that its proto does not have. */
  #judgeMessages(sender: Sender, { method, isDamaged }: GrpcRequest, bytes: Buffer, shown: string): void {
    if (!isDamaged) this.succeeded.add(`${method.parent.typeName}/${method.name}`);
    let count = 0;
    try {
      for (let at = 0; at < bytes.length; count++) {
        const length = bytes.readUInt32BE(at + 1);
        if (at + 5 + length > bytes.length) throw new Error('a message is cut off');
        const message = fromBinary(method.output, bytes.subarray(at + 5, at + 5 + length));
        if ((message.$unknown ?? []).length > 0) throw new Error('a message has fields that the proto has not');
        at += 5 + length;
        if (/^(Submit|Create|Rotate|Retry)/.test(method.name)) this.#learnMessage(sender, method.parent.name, message);
      }
      if (count !== 1 && /^(unary|client_streaming)$/.test(method.methodKind)) throw new Error(`${count} messages`);
    } catch (error) {
      this.#note('off the contract', `${(error as Error).message}: ${shown} → ${bytes.toString('latin1')}`);
    }
  }

  #learnMessage(sender: Sender, service: string, message: object): void {
    const kind = kindOf(service);
    if (kind === undefined) return;
    const { id, name, key, about } = message as {
      readonly id?: string;
      readonly name?: string;
      readonly key?: string;
      readonly about?: { readonly id: string; readonly tenant: string };
    };
    if (about) this.#keep(sender, kind, about.id, about.tenant, key);
    else this.#keep(sender, kind, (kind === 'dataset' ? name : id) ?? '');
  }
}

function flawSafely({ method, target }: RestRequest, answer: Parameters<typeof flawOf>[2]): string | undefined {
  try {
    return flawOf(method, target, answer);
  } catch (error) {
    return (error as Error).message;
  }
}
