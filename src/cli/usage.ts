/** What `hourglass --help` prints before the settings. */

export const usage = (
  release: string,
): string => `hourglass ${release}: trains autoencoders from a job queue and serves encode, decode and denoise

  hourglass up        everything on this machine: redis-server, gateway and worker
  hourglass gateway   REST, gRPC and metrics; needs REDIS_URL
  hourglass worker    trains the jobs of the queue; needs REDIS_URL
  hourglass collect   deletes from the bucket what nothing uses any more
  hourglass keys      makes, lists, rotates and revokes API keys; see "hourglass keys help"
  hourglass health    exit code 0 when the gateway or worker on HOURGLASS_METRICS_PORT is alive, else 1
  hourglass train | jobs | datasets | models | encode | decode | denoise | classify | generate | bench | audit
                      calls of the server that HOURGLASS_URL names, with HOURGLASS_API_KEY; each has a --help
  hourglass completion bash | zsh | fish
  hourglass --help    this text
  hourglass --version
`;
