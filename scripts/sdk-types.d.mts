/** The text of src/sdk/gen/contract.ts, from the parsed openapi.yaml. */
export function sdkTypes(contract: unknown): string;
