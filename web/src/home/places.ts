// Where else there is something to do.

export const PLACES: readonly (readonly [string, string])[] = [["/nearby", "Nearby"], ["/studio", "Studio"], ["/moderate", "Moderation"], ["/search", "Analysis"], ["/ops", "Operations"]];
