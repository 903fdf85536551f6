/**
 * The bucket: the one door to the AWS SDK. Requests with a time limit and retries, conditional writes that say who won, and
 * errors that say what to do. Keys are relative to the prefix of the store.
 */

import { setTimeout as delay } from 'node:timers/promises';
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import type { BucketOperation, ObserveRequests } from '../contract.ts';
import { readBody } from './body.ts';
import { bucketError, isConflict, isMissing, isNotModified, isPreconditionFailed } from './errors.ts';

export interface BucketSettings {
  readonly bucket: string;
  /** with a slash at its end, or empty */
  readonly prefix: string;
  /** absent: AWS, in the region of the environment */
  readonly endpoint?: string;
  /** http://host/bucket/key in place of http://bucket.host/key */
  readonly pathStyle: boolean;
}

export interface StoredObject {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly etag: string;
}

export interface ListedObject {
  readonly key: string;
  readonly etag: string;
  readonly bytes: number;
  readonly modifiedAt: number;
}

/** What must be true of the object that a write replaces: nothing there, or the object with this ETag. */
export type WriteCondition = { readonly absent: true } | { readonly etag: string };

/** for one try; bodies are at most a few dozen MiB */
const requestMs = 30_000;
const connectMs = 3000;
/** for all tries of a request without a body to speak of: long enough for a slow store, short enough for whoever waits */
const smallMs = 8000;
const tries = 4;
/** a conditional write that meets another one is tried again this often */
const conflictTries = 12;
const deletedAtOnce = 1000;

const small = () => ({ abortSignal: AbortSignal.timeout(smallMs) });

/** Not called `Bucket`: TypeScript 7.0 then emits the members `Bucket:` of requests under another name. */
export class BucketClient {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #settings: BucketSettings;
  readonly #observe: ObserveRequests;
  /** requests sent, for benchmarks and tests */
  readonly requests: Record<BucketOperation, number> = { get: 0, put: 0, head: 0, list: 0, delete: 0 };

  /** `observe` is told of each request; tries that the SDK makes by itself count as one. */
  constructor(
    { bucket, prefix, endpoint, pathStyle }: BucketSettings,
    observe: ObserveRequests = () => {},
    client?: S3Client,
  ) {
    this.#observe = observe;
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.#settings = { bucket, prefix, pathStyle, ...(endpoint !== undefined && { endpoint }) };
    const config: S3ClientConfig = {
      ...(endpoint !== undefined && { endpoint }),
      forcePathStyle: pathStyle,
      maxAttempts: tries,
      retryMode: 'standard',
      // The CRC32 that the SDK adds by default is not understood by every other store.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: { connectionTimeout: connectMs, requestTimeout: requestMs, throwOnRequestTimeout: true },
    };
    this.#client = client ?? new S3Client(config);
  }

  /** The same bucket and connections, with keys below another prefix. It ends with this one. */
  under(prefix: string): BucketClient {
    const settings = { ...this.#settings, prefix: this.#prefix + prefix };
    return new BucketClient(settings, this.#observe, this.#client);
  }

  /** undefined when there is no such object. `range` is [first, end). */
  async get(key: string, range?: readonly [number, number]): Promise<StoredObject | undefined> {
    const found = await this.getIfChanged(key, undefined, range);
    return found === 'unchanged' ? undefined : found;
  }

  async getIfChanged(
    key: string,
    etag: string | undefined,
    range?: readonly [number, number],
  ): Promise<StoredObject | undefined | 'unchanged'> {
    const receive = async (): Promise<StoredObject | undefined | 'unchanged'> => {
      try {
        const answer = await this.#client.send(
          new GetObjectCommand({
            ...this.#at(key),
            ...(etag !== undefined && { IfNoneMatch: etag }),
            ...(range && { Range: `bytes=${range[0]}-${range[1] - 1}` }),
          }),
          // Whoever asks whether something changed asks for little.
          etag === undefined ? {} : small(),
        );
        return { bytes: await readBody(answer.Body, answer.ContentLength), etag: answer.ETag ?? '' };
      } catch (error) {
        if (isMissing(error)) return undefined;
        if (isNotModified(error)) return 'unchanged';
        throw error;
      }
    };
    return this.#ask('get', receive, {
      received: (found) => (typeof found === 'object' ? found.bytes.length : 0),
    });
  }

  /** undefined when there is no such object */
  async head(key: string): Promise<Omit<ListedObject, 'key'> | undefined> {
    return this.#ask('head', async () => {
      try {
        const {
          ETag = '',
          ContentLength = 0,
          LastModified,
        } = await this.#client.send(new HeadObjectCommand(this.#at(key)), small());
        return { etag: ETag, bytes: ContentLength, modifiedAt: LastModified?.getTime() ?? 0 };
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    });
  }

  /** Writes an object, whatever is there. Returns its ETag. */
  async put(key: string, body: Uint8Array): Promise<string> {
    const send = () => this.#client.send(new PutObjectCommand({ ...this.#at(key), Body: body }));
    return (await this.#ask('put', send, { sent: body.length })).ETag ?? '';
  }

  /**
   * Writes an object when the condition holds; returns its ETag, or undefined when someone else was first. A write that was
   * sent twice because its answer got lost is recognised by its content, so bodies of different writers have to differ.
   */
  async putIf(key: string, body: Uint8Array, condition: WriteCondition): Promise<string | undefined> {
    const when = 'absent' in condition ? { IfNoneMatch: '*' } : { IfMatch: condition.etag };
    for (let tried = 1; ; tried++) {
      const send = () => this.#client.send(new PutObjectCommand({ ...this.#at(key), Body: body, ...when }));
      try {
        return (await this.#ask('put', send, { sent: body.length, keep: isConflict })).ETag ?? '';
      } catch (error) {
        if (!isConflict(error)) throw error;
        if (isPreconditionFailed(error) || isMissing(error)) break;
        // 409: another conditional write was in progress, and nobody has won yet.
        if (tried === conflictTries) throw bucketError(error);
        await delay(10 * tried * (1 + Math.random()));
      }
    }
    const there = await this.get(key);
    return there && Buffer.compare(there.bytes, body) === 0 ? there.etag : undefined;
  }

  /** No error when there is none. */
  async delete(key: string): Promise<void> {
    await this.#ask('delete', () => this.#client.send(new DeleteObjectCommand(this.#at(key))));
  }

  /** Deletes the object with this ETag; false when another one is there or none. */
  async deleteIf(key: string, etag: string): Promise<boolean> {
    return this.#ask('delete', async () => {
      try {
        await this.#client.send(new DeleteObjectCommand({ ...this.#at(key), IfMatch: etag }));
        return true;
      } catch (error) {
        if (isPreconditionFailed(error) || isMissing(error)) return false;
        throw error;
      }
    });
  }

  async deleteAll(keys: readonly string[]): Promise<void> {
    for (let at = 0; at < keys.length; at += deletedAtOnce) {
      const Objects = keys.slice(at, at + deletedAtOnce).map((key) => ({ Key: this.#prefix + key }));
      await this.#ask('delete', async () => {
        const { Errors = [] } = await this.#client.send(
          new DeleteObjectsCommand({ Bucket: this.#bucket, Delete: { Objects, Quiet: true } }),
        );
        const [first] = Errors;
        if (first) throw Object.assign(new Error(first.Message), { name: first.Code ?? 'Error' });
      });
    }
  }

  /** All objects whose keys begin so, in the order of their keys. */
  async *list(prefix: string): AsyncGenerator<ListedObject> {
    let token: string | undefined;
    do {
      const page = await this.#ask('list', () =>
        this.#client.send(
          new ListObjectsV2Command({
            Bucket: this.#bucket,
            Prefix: this.#prefix + prefix,
            ...(token !== undefined && { ContinuationToken: token }),
          }),
          small(),
        ),
      );
      for (const { Key = '', ETag = '', Size = 0, LastModified } of page.Contents ?? []) {
        const key = Key.slice(this.#prefix.length);
        yield { key, etag: ETag, bytes: Size, modifiedAt: LastModified?.getTime() ?? 0 };
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  /** What comes next in the keys that begin so, up to a slash. */
  async folders(prefix: string): Promise<string[]> {
    const found: string[] = [];
    let token: string | undefined;
    do {
      const page = await this.#ask('list', () =>
        this.#client.send(
          new ListObjectsV2Command({
            ...{ Bucket: this.#bucket, Prefix: this.#prefix + prefix, Delimiter: '/' },
            ...(token !== undefined && { ContinuationToken: token }),
          }),
          small(),
        ),
      );
      const from = this.#prefix.length + prefix.length;
      found.push(...(page.CommonPrefixes ?? []).map(({ Prefix = '' }) => Prefix.slice(from, -1)));
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
    return found;
  }

  /** Throws when the bucket does not answer or does not let this server look into it. */
  async ping(): Promise<void> {
    const look = new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: this.#prefix, MaxKeys: 1 });
    await this.#ask('list', () => this.#client.send(look, small()));
  }

  close(): void {
    this.#client.destroy();
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + key };
  }

  /**
   * Runs a request and counts it. What it throws is an error that a client may see, but for what `keep` lets through: answers
   * such as a lost condition that are no failures.
   */
  async #ask<T>(operation: BucketOperation, request: () => Promise<T>, how: Asked<T> = {}): Promise<T> {
    const { sent = 0, received = () => 0, keep = () => false } = how;
    const note = (outcome: 'ok' | 'failed', bytes = sent): void => this.#observe({ operation, outcome, bytes });
    this.requests[operation]++;
    try {
      const answer = await request();
      note('ok', sent + received(answer));
      return answer;
    } catch (error) {
      note(keep(error) ? 'ok' : 'failed');
      throw keep(error) ? error : bucketError(error);
    }
  }
}

interface Asked<T> {
  /** bytes of the object that is sent */
  readonly sent?: number;
  /** bytes of the object that is received */
  readonly received?: (answer: T) => number;
  readonly keep?: (error: unknown) => boolean;
}
