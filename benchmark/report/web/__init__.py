"""The report as one HTML file that opens from disk: what stands on it, its pictures, and its template."""
