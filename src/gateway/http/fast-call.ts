/** One request on the short way (fast-lane.ts): reads its body, asks the model, writes the answer in one piece. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { Caller } from '../../base/caller.ts';
import { errorTable, HourglassError } from '../../base/errors.ts';
import type { Config } from '../../platform/config.ts';
import { type Timeout, TimerWheel } from '../../platform/timer-wheel.ts';
import type { RowOperation } from '../../registry/manifest.ts';
import type { Prediction, PredictionReceiver, PredictTarget } from '../../serve/predictor.ts';
import type { ByteBudget } from '../byte-budget.ts';
import { readSmallJson } from '../json/read.ts';
import type { Readiness } from '../readiness.ts';
import type { Tenant, Tenants } from '../tenants.ts';
import { countShortAnswer } from './counted-answer.ts';
import { Demand } from './demand.ts';
import { whenEnded } from './ending.ts';
import { hstsHeader } from './hsts.ts';
import { json, type octets } from './media.ts';
import type { Observer } from './observe.ts';
import { rateHeaders } from './rate-limit.ts';
import { keepRead, lateBody, readPieces, releaseMemory } from './read-body.ts';
import { answerHeaders, numbersPayload } from './rows-answer.ts';
import { inputOf, madeFor, numbersOf } from './rows-request.ts';
import { writeRefusal } from './short-refusal.ts';

export interface FastParts {
  readonly tenants: Tenants;
  readonly observer: Observer;
  readonly memory: ByteBudget;
  readonly readiness: Pick<Readiness, 'stopping'>;
  readonly config: Pick<
    Config,
    'bodyTimeoutMs' | 'corsOrigins' | 'host' | 'allowedHosts' | 'maxBodyBytes' | 'maxBatch' | 'deadlineMs'
  >;
  /** value of the header; absent: it is not sent */
  readonly hsts?: string | undefined;
}

/** What a path asks for. */
export interface FastRoute {
  /** as the router knows it */
  readonly pattern: string;
  readonly operation: RowOperation;
  readonly model: string | undefined;
}

export interface Asked {
  readonly route: FastRoute;
  /** type of the body and of the answer */
  readonly given: typeof json | typeof octets;
  readonly answer: typeof json | typeof octets;
  /** length of the body */
  readonly bytes: number;
  readonly caller: Caller;
  /** the caller's */
  readonly tenant: Tenant;
  readonly requestId: string;
}

/** A longer answer is counted in the memory of all bodies and written piece by piece, which is not done here. */
const mostValues = 2048;

const timers = new TimerWheel(250);

export class FastCall implements PredictionReceiver {
  readonly #parts: FastParts;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #asked: Asked;
  readonly #otherwise: () => void;
  readonly #begun = performance.now();
  #timeout: Timeout | undefined;
  /** the framework has it now */
  #isPassedOn = false;
  /** in the quota of requests */
  #isCounted = false;
  #answeredAt = 0;
  #refusal: HourglassError | undefined;

  constructor(
    parts: FastParts,
    request: IncomingMessage,
    response: ServerResponse,
    asked: Asked,
    otherwise: () => void,
  ) {
    this.#parts = parts;
    this.#request = request;
    this.#response = response;
    this.#asked = asked;
    this.#otherwise = otherwise;
  }

  /** Begins. */
  read(): void {
    const { bodyTimeoutMs } = this.#parts.config;
    this.#parts.observer.requests.begun();
    whenEnded(this.#response, this.#ended);
    this.#timeout = timers.add(bodyTimeoutMs, () => {
      this.#request.off('data', this.#take);
      this.#passOn({ error: lateBody(bodyTimeoutMs) });
    });
    this.#request.on('data', this.#take);
  }

  answered(prediction: Prediction): void {
    const { requestId, answer, route, tenant } = this.#asked;
    const payload = numbersPayload(answer, route.operation, prediction);
    if (payload instanceof Readable) throw new TypeError('a short answer is not written in pieces');
    countShortAnswer(this.#request, this.#response, payload.length, this.#parts.memory);
    const headers = answerHeaders(answer, prediction);
    headers.push('x-request-id', requestId, 'x-content-type-options', 'nosniff');
    headers.push('content-length', String(payload.length));
    if (tenant.quota.policies !== undefined) headers.push(...rateHeaders(tenant.quota));
    if (this.#parts.hsts !== undefined) headers.push(hstsHeader, this.#parts.hsts);
    if (this.#parts.readiness.stopping) headers.push('connection', 'close');
    this.#answeredAt = performance.now();
    this.#response.writeHead(200, headers);
    // As text it is written together with the headers. Both kinds of answers have one byte for each character.
    this.#response.end(payload.toString('latin1'), 'latin1');
  }

  failed(error: unknown): void {
    if (error instanceof HourglassError && error.code === 'overloaded') this.#refuse(error);
    else this.#passOn({ error });
  }

  #refuse(error: HourglassError): void {
    const { requestId, tenant } = this.#asked;
    this.#refusal = error;
    writeRefusal(this.#response, { error, requestId, hsts: this.#parts.hsts, rates: rateHeaders(tenant.quota) });
  }

  /** The body has usually arrived with the headers, in one piece. Node makes sure that it is as long as it declares. */
  readonly #take = (chunk: Buffer): void => {
    this.#request.off('data', this.#take);
    this.#stopTimeout();
    if (chunk.length === this.#asked.bytes) this.#ask(chunk);
    else this.#readRest(chunk);
  };

  #readRest(first: Buffer): void {
    const { config, memory } = this.#parts;
    readPieces(this.#request, config.maxBodyBytes, { ...config, memory }, first).then(
      (body) => this.#ask(body),
      (error) => this.#passOn({ error }),
    );
  }

  #ask(body: Buffer): void {
    const { route, given, caller, tenant } = this.#asked;
    // The framework refuses it.
    if (!tenant.quota.tryRequest()) return this.#passOn({ body });
    this.#isCounted = true;
    const { observer, config, memory } = this.#parts;
    const { operation } = route;
    const readSeconds = (performance.now() - this.#begun) / 1000;
    try {
      const options = { tensors: [inputOf(operation)], maxRows: config.maxBatch };
      const read = () => {
        const content =
          given === json
            ? ({ form: 'json', value: readSmallJson(body, options) } as const)
            : ({ form: 'octets', bytes: body } as const);
        return numbersOf(content, operation, route.model);
      };
      const demand = new Demand(this.#response, config.deadlineMs, memory);
      const named = route.model;
      // Where too many wait for the model that the path names, the body is not even parsed.
      const { model, rows } =
        named === undefined ? read() : { model: named, rows: (target: PredictTarget) => madeFor(target, read().rows) };
      const request = { operation, model, inputs: rows, demand, mostValues };
      if (tenant.predictions.predictInTurn(caller, request, this))
        observer.requests.stage('read', operation, readSeconds);
      else this.#passOn({ body });
    } catch (error) {
      this.failed(error);
    }
  }

  #stopTimeout(): void {
    if (this.#timeout) timers.cancel(this.#timeout);
    this.#timeout = undefined;
  }

  readonly #ended = (finished: boolean): void => {
    this.#stopTimeout();
    releaseMemory(this.#request);
    if (this.#isPassedOn) return;
    const { route, requestId, caller } = this.#asked;
    const { observer } = this.#parts;
    const refusal = this.#refusal;
    const now = performance.now();
    if (this.#answeredAt > 0) observer.requests.stage('write', route.operation, (now - this.#answeredAt) / 1000);
    // Here and in the other steps of every prediction objects are spelled out: a spread costs some times as much.
    observer.ended({
      requestId,
      method: 'POST',
      route: route.pattern,
      status: refusal ? errorTable[refusal.code].http : finished ? 200 : 499,
      code: refusal ? refusal.code : finished ? 'ok' : 'cancelled',
      seconds: (now - this.#begun) / 1000,
      caller,
    });
  };

  /** To the framework, which reads what is given here, or fails with it. */
  #passOn(read: { readonly body: Buffer } | { readonly error: unknown }): void {
    // Nobody is there any more; what there is to say of it, `#ended` says.
    if (this.#response.destroyed || this.#request.socket.destroyed) return;
    this.#isPassedOn = true;
    // The framework counts it as every other request.
    if (this.#isCounted) this.#asked.tenant.quota.giveRequestBack();
    this.#parts.observer.requests.passedOn();
    keepRead(this.#request, read);
    this.#otherwise();
  }
}
