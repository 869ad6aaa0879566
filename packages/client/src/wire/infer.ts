/**
 * The part of JSON Schema that the wire uses, and the TypeScript type of the values that a schema accepts.
 * Own code (30 lines) instead of a library, because the published client has no dependencies, not even for types.
 */
export type Schema = {
  readonly type?: "object" | "array" | "string" | "integer" | "number" | "boolean";
  readonly description?: string;
  readonly properties?: { readonly [name: string]: Schema };
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly enum?: readonly (string | number)[];
  readonly pattern?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
};

type RequiredKeys<S extends Schema> = S["required"] extends readonly (infer K)[] ? K : never;

type InferObject<S extends Schema> = S["properties"] extends { readonly [name: string]: Schema }
  ? { -readonly [K in keyof S["properties"] as K extends RequiredKeys<S> ? K : never]: Infer<S["properties"][K]> } & {
      -readonly [K in keyof S["properties"] as K extends RequiredKeys<S> ? never : K]?: Infer<S["properties"][K]>;
    }
  : S["additionalProperties"] extends Schema
    ? { [name: string]: Infer<S["additionalProperties"]> }
    : { [name: string]: unknown };

/** The type of the values that schema `S` (declared `as const`) accepts. */
export type Infer<S extends Schema> = S["enum"] extends readonly (infer V)[]
  ? V
  : S["type"] extends "string"
    ? string
    : S["type"] extends "integer" | "number"
      ? number
      : S["type"] extends "boolean"
        ? boolean
        : S["type"] extends "array"
          ? S["items"] extends Schema
            ? Infer<S["items"]>[]
            : unknown[]
          : S["type"] extends "object"
            ? InferObject<S>
            : unknown;
