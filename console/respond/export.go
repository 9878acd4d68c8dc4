package respond

import (
	"log/slog"
	"net/http"
	"time"

	"tapedeck/console/ops"
	"tapedeck/console/query"
	"tapedeck/flow"
)

// CSV sends every recording that the filters in the address find.
func CSV(w http.ResponseWriter, r *http.Request, log *slog.Logger, recordings *ops.Recordings, v ops.Visitor, p *flow.Policy) error {
	values, q, err := query.List(r, p)
	if err != nil {
		return err
	}
	headOnly := r.Method == http.MethodHead
	export, err := recordings.Export(r.Context(), v, q, query.OnlyFilters(values), !headOnly)
	if err != nil {
		return err
	}
	attachment(w, "text/csv; charset=utf-8; header=present", ".csv")
	if err := export.WriteCSV(r.Context(), w, headOnly); err != nil {
		abort(r, log, err)
	}
	return nil
}

// ZIP sends the sound of a selection, as it was recorded, with a manifest.
func ZIP(w http.ResponseWriter, r *http.Request, log *slog.Logger, recordings *ops.Recordings, v ops.Visitor, ids []string) error {
	selection, err := recordings.Select(r.Context(), v, ids)
	if err != nil {
		return err
	}
	attachment(w, "application/zip", ".zip")
	if err := selection.WriteZIP(w); err != nil {
		abort(r, log, err)
	}
	return nil
}

// attachment sets the headers of a file of recordings to be downloaded.
func attachment(w http.ResponseWriter, kind, ext string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="recordings_`+time.Now().UTC().Format("2006-01-02_150405")+ext+`"`)
}
