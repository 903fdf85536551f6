/**
 * What answers cost at the least: Fastify and grpc-js with the same bodies and answers, and nothing in between. Prints its ports.
 *
 *   POST /json    parses the JSON, answers the given text       POST /bytes   takes a buffer, answers 128 bytes
 */

import { readFileSync } from 'node:fs';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { fastify } from 'fastify';

const [answerFile = '', grpcAnswerFile = ''] = process.argv.slice(2);
const answer: unknown = JSON.parse(readFileSync(answerFile, 'utf8'));
const grpcAnswer = readFileSync(grpcAnswerFile);
const bytes = Buffer.alloc(128, 1);

const app = fastify({ bodyLimit: 1 << 26 });
app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
app.post('/json', async () => answer);
app.post('/bytes', async (_request, reply) => {
  reply.type('application/octet-stream');
  return bytes;
});
await app.listen({ port: 0, host: '127.0.0.1' });

const server = new Server();
const same = (given: Buffer): Buffer => given;
server.addService(
  {
    Encode: {
      path: '/hourglass.v1.InferenceService/Encode',
      requestStream: false,
      responseStream: false,
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    },
  },
  { Encode: (_call: unknown, respond: (error: null, answer: Buffer) => void) => respond(null, grpcAnswer) },
);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, grpcPort) => {
  if (error) throw error;
  const address = app.server.address();
  process.send?.({ httpPort: typeof address === 'object' ? address?.port : 0, grpcPort });
});
