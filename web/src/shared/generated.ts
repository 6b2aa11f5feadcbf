// Codes, limits and metric names as the roles have them: one generated file, which the client reads too.

export * from "../../../clients/js/src/generated.ts";
