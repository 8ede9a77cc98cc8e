package datasets
import ("testing";"context";"fmt")
func TestInsX(t *testing.T){
 d:="/work/shared/data/"
 for _, fs := range [][]string{{d+"telco_churn_ibm/Telco-Customer-Churn.csv"},{d+"bpic2012_loans/bpic2012_events.csv.gz",d+"bpic2012_loans/outcomes.csv"},{d+"cdnow/cdnow_master_restored.csv.gz",d+"cdnow/labels_churn_holdout_19971001.csv"}} {
  b,err:=Inspect(context.Background(),fs,"/work"); fmt.Println(string(b),err)
 }
}
