/** Load on a server, by programs of their own: wrk for HTTP, a grpc-js client for gRPC. */

import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Sample {
  readonly perSecond: number;
  /** milliseconds */
  readonly p50: number;
  readonly p99: number;
  readonly errors: number;
}

export interface Question {
  readonly url: string;
  /** file with the body */
  readonly bodyFile: string;
  readonly headers: Readonly<Record<string, string>>;
}

const script = path.join(import.meta.dirname, 'post.lua');

/** One thread of wrk, which asks again on each connection as soon as it has an answer. */
export async function wrk(question: Question, connections: number, seconds: number): Promise<Sample> {
  const headers = Object.entries(question.headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const options = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '-s', script, ...headers, question.url];
  const { stdout } = await run('wrk', options, { env: { ...process.env, BODY: question.bodyFile } });
  const [, perSecond, p50, p99, errors] = /figures (\S+) (\S+) (\S+) (\S+)/.exec(stdout) ?? [];
  if (perSecond === undefined) throw new Error(stdout);
  return { perSecond: Number(perSecond), p50: Number(p50), p99: Number(p99), errors: Number(errors) };
}

export async function grpcLoad(port: number, bodyFile: string, calls: number, seconds: number): Promise<Sample> {
  const program = path.join(import.meta.dirname, 'grpc-load.ts');
  const options = ['--import', 'tsx', program, String(port), String(calls), String(seconds * 1000), bodyFile];
  const { stdout } = await run(process.execPath, options);
  return JSON.parse(stdout) as Sample;
}
