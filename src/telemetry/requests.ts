/** The span of each request over REST or gRPC: begun with its headers, ended with its answer. */

import { type Attributes, markFailed, SpanKind, type Tracing, traceparentOf } from './tracing.ts';

export interface Request {
  /** of few values: a route's pattern or the name of an RPC */
  readonly name: string;
  readonly attributes: Attributes;
  /** the client's own position in its trace, when it sent a well-formed one */
  readonly parent: string | undefined;
  readonly tracestate?: unknown;
}

export interface RequestTrace {
  /** of the request itself: whatever is done for it belongs below */
  readonly traceparent: string;
  /** `failed` is the code of an error that is our own fault. */
  end(attributes: Attributes, failed?: string): void;
}

export class RequestTraces {
  readonly #tracing: Tracing;

  constructor(tracing: Tracing) {
    this.#tracing = tracing;
  }

  begin({ name, attributes, parent, tracestate }: Request): RequestTrace {
    const span = this.#tracing.start(name, {
      ...{ parent, attributes, isRemote: true, kind: SpanKind.SERVER },
      ...(typeof tracestate === 'string' && { tracestate }),
    });
    return {
      traceparent: traceparentOf(span),
      end(last, failed) {
        span.setAttributes(last);
        if (failed !== undefined) markFailed(span, failed);
        span.end();
      },
    };
  }
}
